{#-
Forecast origins: the organization's last month, and some earlier months to measure accuracy, with
only the data known at that time. A bill that is one month late is outstanding: the organization's
last month is then the month before.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

ledger_rows as (

    select * from {{ ref('stg_ledger__lines') }}

),

bills as (

    select
        organization_id,
        billing_period
    from billing_lines
    union
    select
        organization_id,
        billing_period
    from ledger_rows

),

organizations as (

    select
        organization_id,
        cast(concat_ws('', min(billing_period), '-01') as date) as first_month,
        cast(concat_ws('', max(billing_period), '-01') as date) as billed_month
    from bills
    group by organization_id

),

latest as (

    select max(billed_month) as latest_month
    from organizations

),

spans as (

    select
        organizations.organization_id,
        organizations.first_month,
        case
            when
                organizations.billed_month
                = cast({{ dbt.dateadd('month', -1, 'latest.latest_month') }} as date)
                then organizations.billed_month
            else latest.latest_month
        end as last_month,
        cast(
            {{ dbt.dateadd('month', var('forecast_months'), 'latest.latest_month') }} as date
        ) as horizon_month
    from organizations
    cross join latest

),

with_start as (

    select
        *,
        greatest(
            first_month,
            cast(
                {{ dbt.dateadd('month', '-' ~ var('forecast_accuracy_months'), 'last_month') }}
                as date
            )
        ) as first_origin_month
    from spans

),

origins as (

    select
        *,
        {{ each_month('first_origin_month', 'last_month') }} as origin_month
    from with_start

)

select
    organization_id,
    first_month,
    last_month,
    origin_month,
    {{ year_month('origin_month') }} as origin_period,
    origin_month = last_month as is_latest,
    -- Earlier forecasts are compared with actuals, so they end with the last actual month.
    case when origin_month = last_month then horizon_month else last_month end
        as horizon_month
from origins
