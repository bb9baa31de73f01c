{#- Days of the bills and of their charges, and of the months with a budget or a forecast. A
mistyped year does not make millions of days. -#}
with

billing_report as (

    select * from {{ ref('billing_report') }}

),

budget_variance as (

    select * from {{ ref('budget_variance') }}

),

forecast_variance as (

    select * from {{ ref('forecast_variance') }}

),

cost_forecast as (

    select * from {{ ref('cost_forecast') }}

),

months as (

    select month from budget_variance
    union all
    select month from forecast_variance
    union all
    select month from cost_forecast

),

expected as (

    select
        min(month) as first_month,
        cast({{ dbt.last_day('max(month)', 'month') }} as date) as last_day
    from months

),

billed as (

    select
        least(min(charge_start_date), min(billing_date)) as first_day,
        greatest(max(charge_end_date), max(billing_date)) as last_day,
        cast({{ dbt.dateadd('year', -5, 'min(billing_date)') }} as date) as earliest_day,
        cast({{ dbt.dateadd('year', 5, 'max(billing_date)') }} as date) as latest_day
    from billing_report
    having count(*) > 0

),

spans as (

    select
        greatest(
            least(billed.first_day, coalesce(expected.first_month, billed.first_day)),
            billed.earliest_day
        ) as first_date,
        least(
            greatest(billed.last_day, coalesce(expected.last_day, billed.last_day)),
            billed.latest_day
        ) as last_date
    from billed
    cross join expected

),

days as (

    select {{ each_day('first_date', 'last_date') }} as calendar_date
    from spans

),

final as (

    select
        calendar_date,
        {{ year_month('calendar_date') }} as billing_period,
        cast({{ dbt.date_trunc('month', 'calendar_date') }} as date) as month_start_date,
        cast({{ dbt.date_trunc('quarter', 'calendar_date') }} as date) as quarter_start_date,
        cast(extract(year from calendar_date) as integer) as calendar_year,
        cast(extract(quarter from calendar_date) as integer) as calendar_quarter,
        cast(extract(month from calendar_date) as integer) as calendar_month
    from days

)

select * from final
