{{ config(materialized='view') }}
with

computed_rows as (

    select * from {{ ref('int_computed_rows') }}

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}

),

split_events as (

    select * from {{ ref('int_split_events') }}

),

over_allocated as (

    select
        'over_allocated' as kind,
        computed_rows.organization_id,
        computed_rows.subscription_id,
        computed_rows.billing_period,
        computed_rows.currency,
        sum(abs(computed_rows.total_cost)) as amount_at_stake,
        concat_ws(
            '',
            'the split of ', {{ plain_instant('snapshots.effective_at') }}, ' allocates ',
            {{ plain_number('snapshots.allocated_total') }}, ' licenses of ',
            {{ plain_number('snapshots.total_quantity') }},
            '; shares are of the allocated licenses'
        ) as message
    from computed_rows
    inner join snapshots on computed_rows.snapshot_id = snapshots.snapshot_id
    where snapshots.is_over_allocated
    group by
        computed_rows.organization_id,
        computed_rows.subscription_id,
        computed_rows.billing_period,
        computed_rows.currency,
        snapshots.effective_at,
        snapshots.allocated_total,
        snapshots.total_quantity

),

zero_totals as (

    select
        'zero_total' as kind,
        organization_id,
        subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat_ws(
            '',
            count(distinct line_id),
            ' line(s) have a split without licenses before their cutoff'
        ) as message
    from computed_rows
    where split_reason = 'zero_total'
    group by organization_id, subscription_id, billing_period, currency

),

unknown_events as (

    select
        'unknown_event' as kind,
        organization_id,
        subscription_id,
        {{ year_month('max(effective_at)') }} as billing_period,
        cast(null as string) as currency,
        cast(0 as decimal(28, 10)) as amount_at_stake,
        concat_ws('', 'event "', event, '" is not in the seed split_events; its quantities count')
            as message
    from split_events
    where event_kind = 'other'
    group by organization_id, subscription_id, event

)

select * from over_allocated
union all
select * from zero_totals
union all
select * from unknown_events
