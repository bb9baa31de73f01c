{#-
Budget, actual and forecast for every month of a year in which a cost center has a budget. The
actual is the charged amount: sales for resold organizations, else cost. It is spread over the
months that it applies to, before shared costs are passed on.
-#}
with

budgets as (

    select * from {{ ref('int_budgets') }}
    where is_known_cost_center

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

cost_center_units as (

    select * from {{ ref('int_cost_center_units') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

organizations as (

    select * from {{ ref('int_organizations') }}

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

budget_years as (

    select
        organization_id,
        cost_center_id,
        currency,
        cast({{ dbt.date_trunc('year', 'month') }} as date) as year_start_date,
        sum(amount) as year_budget
    from budgets
    group by
        organization_id,
        cost_center_id,
        currency,
        cast({{ dbt.date_trunc('year', 'month') }} as date)

),

year_months as (

    select
        *,
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

),

accumulated as (

    select
        *,
        sum(budget) over so_far as budget_to_date,
        sum(actual) over so_far as actual_to_date,
        -- A year whose end is not reached by actuals and forecast has no year-end figure.
        case
            when count(coalesce(actual, forecast)) over whole_year = 12
                then sum(coalesce(actual, forecast)) over whole_year
        end as year_expected
    from with_amounts
    window
        whole_year as (
            partition by organization_id, cost_center_id, currency, year_start_date
        ),
        so_far as (
            partition by organization_id, cost_center_id, currency, year_start_date
            order by month
            rows between unbounded preceding and current row
        )

),

-- Earlier months have the year to date only, because the forecast of that time is not known.
with_status as (

    select
        *,
        month = latest_month as is_latest_month,
        case
            when actual is null then null
            when actual_to_date > budget_to_date then 'over_budget'
            when
                month = latest_month
                and year_expected * 100
                > year_budget * (100 + {{ var('over_budget_at_year_end_above_percent') }})
                then 'over_budget_at_year_end'
            else 'within_budget'
        end as status
    from accumulated

)

select
    with_status.month,
    with_status.organization_id,
    coalesce(
        cost_center_units.organization_name,
        organizations.organization_name,
        with_status.organization_id
    ) as organization_name,
    with_status.cost_center_id,
    coalesce(cost_center_units.cost_center_name, cost_centers.cost_center_name)
        as cost_center_name,
    with_status.currency,
    with_status.amount_basis,
    with_status.status,
    coalesce(with_status.is_latest_month, false) as is_latest_month,
    cast(with_status.budget as decimal(28, 10)) as budget,
    cast(with_status.actual as decimal(28, 10)) as actual,
    cast(with_status.forecast as decimal(28, 10)) as forecast,
    cast(with_status.budget_to_date as decimal(28, 10)) as budget_to_date,
    cast(
        case when with_status.actual is not null then with_status.actual_to_date end
        as decimal(28, 10)
    ) as actual_to_date,
    cast(with_status.year_budget as decimal(28, 10)) as year_budget,
    cast(with_status.year_expected as decimal(28, 10)) as year_expected
from with_status
left join cost_center_units
    on
        with_status.organization_id = cost_center_units.organization_id
        and with_status.cost_center_id = cost_center_units.cost_center_id
left join cost_centers
    on
        with_status.organization_id = cost_centers.organization_id
        and with_status.cost_center_id = cost_centers.cost_center_id
left join organizations on with_status.organization_id = organizations.organization_id
