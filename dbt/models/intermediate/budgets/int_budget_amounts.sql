{#-
Actuals and forecasts are charged amounts: sales for resold organizations, else cost. They are spread
over the months that they apply to, before shared costs are passed on.
-#}
{{ config(materialized='view') }}
with

budgets as (

    select * from {{ ref('int_budgets') }}
    where is_known_cost_center

),

declared_settings as (

    select * from {{ ref('stg_landing__declared_settings') }}

),

series as (

    select * from {{ ref('int_forecast_series') }}
    where is_latest

),

forecast_amounts as (

    select * from {{ ref('int_forecast_amounts') }}
    where level = 'cost_center' and is_latest

),

forecast_origins as (

    select * from {{ ref('int_forecast_origins') }}
    where is_latest

),

amount_bases as (

    select
        organization_id,
        currency,
        max(case when sales is not null then 'sales' else 'cost' end) as amount_basis
    from series
    where level = 'organization' and is_history
    group by organization_id, currency

),

with_year_start as (

    select
        budgets.*,
        {{ fiscal_year_start('budgets.month', 'declared_settings.fiscal_year_first_month') }}
            as year_start_date
    from budgets
    cross join declared_settings

),

budget_years as (

    select
        organization_id,
        cost_center_id,
        currency,
        year_start_date,
        sum(amount) as year_budget
    from with_year_start
    group by
        organization_id,
        cost_center_id,
        currency,
        year_start_date

),

year_months as (

    select
        *,
        extract(year from {{ dbt.dateadd('month', 11, 'year_start_date') }}) as fiscal_year,
        {{ each_month(
            'year_start_date', 'cast(' ~ dbt.dateadd('month', 11, 'year_start_date') ~ ' as date)'
        ) }} as month
    from budget_years

),

-- An organization without a bill has a budget but no actuals.
with_amounts as (

    select
        year_months.*,
        forecast_origins.origin_month as latest_month,
        coalesce(amount_bases.amount_basis, 'cost') as amount_basis,
        coalesce(budgets.amount, 0) as budget,
        case
            when year_months.month <= forecast_origins.origin_month
                then
                    coalesce(
                        case
                            when amount_bases.amount_basis = 'sales' then series.sales
                            else series.cost
                        end,
                        0
                    )
        end as actual,
        case
            when
                year_months.month > forecast_origins.origin_month
                and year_months.month <= forecast_origins.horizon_month
                then
                    coalesce(
                        case
                            when amount_bases.amount_basis = 'sales'
                                then forecast_amounts.sales_forecast
                            else forecast_amounts.forecast
                        end,
                        0
                    )
        end as forecast
    from year_months
    left join budgets
        on
            year_months.organization_id = budgets.organization_id
            and year_months.cost_center_id = budgets.cost_center_id
            and year_months.currency = budgets.currency
            and year_months.month = budgets.month
    left join forecast_origins
        on year_months.organization_id = forecast_origins.organization_id
    left join amount_bases
        on
            year_months.organization_id = amount_bases.organization_id
            and year_months.currency = amount_bases.currency
    left join series
        on
            series.level = 'cost_center'
            and series.is_history
            and year_months.organization_id = series.organization_id
            and year_months.cost_center_id = series.cost_center_id
            and year_months.currency = series.currency
            and year_months.month = series.month
    left join forecast_amounts
        on
            year_months.organization_id = forecast_amounts.organization_id
            and year_months.cost_center_id = forecast_amounts.cost_center_id
            and year_months.currency = forecast_amounts.currency
            and year_months.month = forecast_amounts.month

)

select * from with_amounts
