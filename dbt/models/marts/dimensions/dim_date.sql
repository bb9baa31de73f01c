{#- Days of the bills and of their charges. A mistyped year does not make millions of days. -#}
with

billing_report as (

    select * from {{ ref('billing_report') }}

),

spans as (

    select
        greatest(
            least(min(charge_start_date), min(billing_date)),
            cast({{ dbt.dateadd('year', -5, 'min(billing_date)') }} as date)
        ) as first_date,
        least(
            greatest(max(charge_end_date), max(billing_date)),
            cast({{ dbt.dateadd('year', 5, 'max(billing_date)') }} as date)
        ) as last_date
    from billing_report
    having count(*) > 0

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
