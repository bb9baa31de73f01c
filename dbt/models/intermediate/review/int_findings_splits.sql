{{ config(materialized='view') }}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}

),

shares as (

    select * from {{ ref('int_split_shares') }}

),

split_events as (

    select * from {{ ref('int_split_events') }}

),

seat_comparison as (

    select * from {{ ref('int_seat_comparison') }}

),

with_latest as (

    select
        *,
        max(billing_period) over (partition by subscription_id) as latest_billing_period
    from billing_lines
    where subscription_id is not null and charge_kind in ('cycle', 'extra', 'refund')

),

-- The amount at stake of a split is the cost of the subscription in its latest billing period.
latest_costs as (

    select
        subscription_id,
        organization_id,
        currency,
        max(billing_period) as billing_period,
        sum(abs(total_cost)) as amount_at_stake,
        max(billing_date) as billing_date,
        max(charge_source) as charge_source
    from with_latest
    where billing_period = latest_billing_period
    group by subscription_id, organization_id, currency

),

current_snapshots as (

    select
        snapshots.*,
        latest_costs.currency,
        latest_costs.billing_period,
        latest_costs.billing_date,
        latest_costs.amount_at_stake
    from snapshots
    inner join latest_costs
        on snapshots.subscription_id = latest_costs.subscription_id
    where snapshots.valid_to = {{ far_future() }}

),

without_split as (

    select
        'no_split' as kind,
        latest_costs.organization_id,
        latest_costs.subscription_id,
        latest_costs.billing_period,
        latest_costs.currency,
        latest_costs.amount_at_stake,
        'the subscription has no split: the whole amount is in Default' as message
    from latest_costs
    left join snapshots on latest_costs.subscription_id = snapshots.subscription_id
    -- Cloud charges without a split use their tags.
    where snapshots.subscription_id is null and latest_costs.charge_source = 'license'

),

in_default as (

    select
        'in_default' as kind,
        current_snapshots.organization_id,
        current_snapshots.subscription_id,
        current_snapshots.billing_period,
        current_snapshots.currency,
        {{ prorated_part(
            'current_snapshots.amount_at_stake',
            'shares.low_units', 'shares.high_units', 'shares.total_units', 'shares.narrow_limit'
        ) }} as amount_at_stake,
        concat_ws(
            '',
            {{ plain_number('shares.allocated_quantity') }}, ' of ',
            {{ plain_number('current_snapshots.total_quantity') }},
            ' licenses are in Default since ',
            {{ plain_instant('current_snapshots.effective_at') }}
        ) as message
    from current_snapshots
    inner join shares on current_snapshots.snapshot_id = shares.split_id
    inner join split_events on current_snapshots.snapshot_id = split_events.event_id
    where
        shares.cost_center_id = split_events.default_cost_center_id
        and shares.allocated_quantity > 0

),

stale as (

    select
        'stale_split' as kind,
        organization_id,
        subscription_id,
        billing_period,
        currency,
        amount_at_stake,
        concat_ws(
            '',
            'the split was last changed on ', {{ plain_instant('effective_at') }},
            ', more than {{ var("stale_split_months") }} months before the bill'
        ) as message
    from current_snapshots
    where
        effective_at
        < {{ dbt.dateadd(
            'month', '-' ~ var('stale_split_months'), 'cast(billing_date as timestamp)'
        ) }}
        and not is_zero_total

),

deleted_centers as (

    select
        'deleted_cost_center' as kind,
        organization_id,
        subscription_id,
        billing_period,
        currency,
        amount_at_stake,
        concat_ws(
            '',
            'the split of ', {{ plain_instant('effective_at') }}, ' contains a cost center that',
            ' was deleted before; its licenses go to its successor or to Default'
        ) as message
    from current_snapshots
    where has_inherited and is_full_snapshot

),

seat_mismatches as (

    select
        'seat_mismatch' as kind,
        latest_costs.organization_id,
        seat_comparison.subscription_id,
        seat_comparison.billing_period,
        latest_costs.currency,
        latest_costs.amount_at_stake,
        concat_ws(
            '',
            'on ', seat_comparison.compared_on, ' the bills charge ',
            {{ plain_number('seat_comparison.billed_seats') }},
            ' licenses but the split history has ',
            {{ plain_number('seat_comparison.split_seats') }}
        ) as message
    from seat_comparison
    inner join latest_costs
        on seat_comparison.subscription_id = latest_costs.subscription_id
    where seat_comparison.billed_seats <> seat_comparison.split_seats

)

select * from without_split
union all
select * from in_default
union all
select * from stale
union all
select * from deleted_centers
union all
select * from seat_mismatches
