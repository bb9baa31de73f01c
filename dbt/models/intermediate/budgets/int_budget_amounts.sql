{#-
Actuals are what the month's bill charges, after shared costs: sales for resold organizations, else
cost. Forecasts are spread over the months that they apply to; `prepaid` is the part of them that
earlier bills have charged.
-#}
{{ config(materialized='view') }}
with

planned_amounts as (

    select * from {{ ref('int_planned_amounts') }}
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

-- The total of a statement, with the section of shared costs.
charged_amounts as (

    select
        billing_period,
        organization_id,
        cost_center_id,
        currency,
        sum(total_cost) as cost,
        sum(total_sales) as sales
    from {{ ref('int_statement_sections') }}
    group by billing_period, organization_id, cost_center_id, currency

),

prepaid as (

    select
        billing_period,
        organization_id,
        cost_center_id,
        currency,
        sum(amortized_cost) as cost,
        sum(amortized_sales) as sales
    from {{ ref('int_borne_costs') }}
    where billing_period > billed_period
    group by billing_period, organization_id, cost_center_id, currency

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
        planned_amounts.*,
        {{ fiscal_year_start(
            'planned_amounts.month', 'declared_settings.fiscal_year_first_month'
        ) }} as year_start_date
    from planned_amounts
    cross join declared_settings

),

-- A year with manual forecasts only has no budget.
planned_years as (

    select
        organization_id,
        cost_center_id,
        currency,
        year_start_date,
        sum(case when plan_kind = 'budget' then amount end) as year_budget
    from with_year_start
    group by organization_id, cost_center_id, currency, year_start_date

),

year_months as (

    select
        *,
        extract(year from {{ dbt.dateadd('month', 11, 'year_start_date') }}) as fiscal_year,
        {{ each_month(
            'year_start_date', 'cast(' ~ dbt.dateadd('month', 11, 'year_start_date') ~ ' as date)'
        ) }} as month
    from planned_years

),

-- An organization without a bill has plans but no actuals.
with_basis as (

    select
        year_months.*,
        {{ year_month('year_months.month') }} as billing_period,
        forecast_origins.origin_month as latest_month,
        coalesce(amount_bases.amount_basis, 'cost') as amount_basis,
        year_months.month <= forecast_origins.origin_month as is_billed,
        year_months.month > forecast_origins.origin_month
        and year_months.month <= forecast_origins.horizon_month as is_forecast
    from year_months
    left join forecast_origins
        on year_months.organization_id = forecast_origins.organization_id
    left join amount_bases
        on
            year_months.organization_id = amount_bases.organization_id
            and year_months.currency = amount_bases.currency

),

with_amounts as (

    select
        with_basis.* {{ without('billing_period', 'is_billed', 'is_forecast') }},
        case when with_basis.year_budget is not null then coalesce(budgets.amount, 0) end as budget,
        manual_forecasts.amount as manual_forecast,
        {%- for condition, name, cost, sales in [
            ('is_billed', 'actual', 'charged_amounts.cost', 'charged_amounts.sales'),
            ('is_billed', 'amortized', 'series.cost', 'series.sales'),
            ('is_forecast', 'forecast', 'forecast_amounts.forecast',
             'forecast_amounts.sales_forecast'),
            ('is_forecast', 'prepaid', 'prepaid.cost', 'prepaid.sales'),
        ] %}
            case
                when with_basis.{{ condition }} and with_basis.amount_basis = 'sales'
                    then coalesce({{ sales }}, 0)
                when with_basis.{{ condition }} then coalesce({{ cost }}, 0)
            end as {{ name }}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from with_basis
    {% for relation, name, month, condition in [
        ('planned_amounts', 'budgets', 'month', "budgets.plan_kind = 'budget'"),
        ('planned_amounts', 'manual_forecasts', 'month',
         "manual_forecasts.plan_kind = 'manual_forecast'"),
        ('charged_amounts', 'charged_amounts', 'billing_period', 'true'),
        ('series', 'series', 'month', "series.level = 'cost_center' and series.is_history"),
        ('forecast_amounts', 'forecast_amounts', 'month', 'true'),
        ('prepaid', 'prepaid', 'billing_period', 'true'),
    ] %}
        left join {{ relation }} as {{ name }}
            on
                with_basis.organization_id = {{ name }}.organization_id
                and with_basis.cost_center_id = {{ name }}.cost_center_id
                and with_basis.currency = {{ name }}.currency
                and with_basis.{{ month }} = {{ name }}.{{ month }}
                and {{ condition }}
    {% endfor %}

)

select * from with_amounts
