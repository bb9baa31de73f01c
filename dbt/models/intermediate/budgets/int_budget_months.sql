{#-
Budgets and manual forecasts compared with actuals and forecasts, to date and for the whole year. A
year's expected amount is what was charged, and what later bills are expected to charge.
-#}
with

budget_amounts as (

    select * from {{ ref('int_budget_amounts') }}

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

accumulated as (

    select
        *,
        sum(budget) over so_far as budget_to_date,
        sum(actual) over so_far as actual_to_date,
        sum(amortized) over so_far as amortized_to_date,
        -- A year whose end is not reached by actuals and forecast has no year-end figure.
        case
            when count(coalesce(actual, forecast)) over whole_year = 12
                then sum(coalesce(actual, forecast - prepaid)) over whole_year
        end as year_expected
    from budget_amounts
    window
        whole_year as (
            partition by organization_id, cost_center_id, currency, year_start_date
        ),
        so_far as (
            partition by organization_id, cost_center_id, currency, year_start_date
            order by month nulls last
            rows between unbounded preceding and current row
        )

),

-- Earlier months have the year to date only, because the forecast of that time is not known.
with_status as (

    select
        *,
        month = latest_month as is_latest_month,
        case
            when actual is null or budget is null then null
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
    cast(with_status.fiscal_year as integer) as fiscal_year,
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
    cast(with_status.manual_forecast as decimal(28, 10)) as manual_forecast,
    cast(with_status.actual as decimal(28, 10)) as actual,
    cast(with_status.amortized as decimal(28, 10)) as amortized,
    cast(with_status.forecast as decimal(28, 10)) as forecast,
    cast(with_status.prepaid as decimal(28, 10)) as prepaid,
    cast(with_status.budget_to_date as decimal(28, 10)) as budget_to_date,
    cast(
        case when with_status.actual is not null then with_status.actual_to_date end
        as decimal(28, 10)
    ) as actual_to_date,
    cast(
        case when with_status.actual is not null then with_status.amortized_to_date end
        as decimal(28, 10)
    ) as amortized_to_date,
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
