{{ config(materialized='view') }}
with

reporting_rates as (

    select * from {{ ref('int_reporting_rates') }}

),

final as (

    select
        'reporting_rate_missing' as kind,
        cast(null as string) as organization_id,
        cast(null as string) as subscription_id,
        billing_period,
        currency,
        sum_of_charges as amount_at_stake,
        concat_ws(
            '',
            'no exchange rate from ', currency, ' to ', reporting_currency, ' is known for ',
            cast(period_end_date as string), ' or before: charges of ', billing_period,
            ' are not converted'
        ) as message
    from reporting_rates
    where exchange_rate is null and sum_of_charges <> 0

)

select * from final
