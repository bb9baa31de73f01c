{{ config(materialized='view') }}
with

forecast_amounts as (

    select
        *,
        {{ year_month('month') }} as billing_period
    from {{ ref('int_forecast_amounts') }}
    where level = 'cost_center' and is_latest

),

last_cycles as (

    select * from {{ ref('int_last_cycles') }}
    where is_latest

),

cost_center_units as (

    select * from {{ ref('int_cost_center_units') }}

),

refunds as (

    select
        organization_id,
        subscription_id,
        max(charge_end_date) as refunded_through_date
    from {{ ref('int_billing_lines') }}
    where charge_kind = 'refund' and subscription_id is not null
    group by organization_id, subscription_id

),

continued_products as (

    select
        organization_id,
        product_name,
        max(next_bill_month) as next_bill_month
    from last_cycles
    group by organization_id, product_name

),

-- A cycle that is due for up to three months. A product that continues in another subscription was
-- renewed under another id, and a refund of the last cycle ended the subscription.
stopped as (

    select
        last_cycles.*,
        cast(
            {{ part_of_cost(
                'last_cycles.cycle_cost', 'last_cycles.seats', 'last_cycles.quantity'
            ) }}
            as decimal(28, 2)
        ) as expected_cost
    from last_cycles
    inner join continued_products
        on
            last_cycles.organization_id = continued_products.organization_id
            and last_cycles.product_name is not distinct from continued_products.product_name
            and last_cycles.origin_month >= continued_products.next_bill_month
    left join refunds
        on
            last_cycles.organization_id = refunds.organization_id
            and last_cycles.subscription_id = refunds.subscription_id
            and last_cycles.charge_end_date <= refunds.refunded_through_date
    where
        refunds.subscription_id is null
        and last_cycles.seats > 0
        and last_cycles.cycle_cost > 0
        and last_cycles.next_bill_month
        > {{ dbt.dateadd('month', -3, 'last_cycles.origin_month') }}

),

billing_stopped as (

    select
        'billing_stopped' as kind,
        organization_id,
        subscription_id,
        billing_period,
        currency,
        expected_cost as amount_at_stake,
        concat_ws(
            '',
            coalesce(product_name, subscription_id), ' was last billed in ', billing_period,
            '; its next cycle of ', {{ plain_number('expected_cost') }}, ' ', currency,
            ' was due in ', {{ year_month('next_bill_month') }},
            '; the forecast takes it for ended'
        ) as message
    from stopped

),

-- Known charges outside of the band: seats or usage are expected to change beyond chance.
differing as (

    select
        organization_id,
        cost_center_id,
        currency,
        min(billing_period) as billing_period,
        cast(sum(expected_cost) as decimal(28, 2)) as known_cost,
        cast(sum(forecast) as decimal(28, 2)) as forecast_cost
    from forecast_amounts
    where expected_cost < lower_80 or expected_cost > upper_80
    group by organization_id, cost_center_id, currency

),

forecast_differs_from_known as (

    select
        'forecast_differs_from_known' as kind,
        differing.organization_id,
        cast(null as string) as subscription_id,
        differing.billing_period,
        differing.currency,
        abs(differing.forecast_cost - differing.known_cost) as amount_at_stake,
        concat_ws(
            '',
            cost_center_units.cost_center_name, ' has a forecast of ',
            {{ plain_number('differing.forecast_cost') }}, ' ', differing.currency, ' from ',
            differing.billing_period, ' and known charges of ',
            {{ plain_number('differing.known_cost') }},
            '; the difference exceeds the 80 % band'
        ) as message
    from differing
    inner join cost_center_units
        on
            differing.organization_id = cost_center_units.organization_id
            and differing.cost_center_id = cost_center_units.cost_center_id

)

select * from billing_stopped
union all
select * from forecast_differs_from_known
