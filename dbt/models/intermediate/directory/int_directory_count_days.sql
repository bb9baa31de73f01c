{#-
The days on which the directory is counted: the ends of billing cycles; the day on which the directory
begins to apply to a subscription; and the day of the latest state.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where charge_source = 'license' and subscription_id is not null

),

subscriptions as (

    select * from {{ ref('int_directory_subscriptions') }}

),

seats_in_use as (

    select * from {{ ref('int_directory_seats') }}

),

states as (

    select
        organization_id,
        state_date,
        coalesce(
            lead(state_date) over (
                partition by organization_id
                order by state_date nulls last
            ),
            date '9999-12-31'
        ) as next_state_date
    from seats_in_use
    group by organization_id, state_date

),

state_ranges as (

    select
        organization_id,
        min(state_date) as first_state_date,
        max(state_date) as last_state_date
    from states
    group by organization_id

),

last_bill as (

    select max(last_billing_date) as billing_date
    from subscriptions

),

cycle_ends as (

    select
        billing_lines.subscription_id,
        billing_lines.charge_end_date as counted_on,
        'cycle end' as count_reason
    from billing_lines
    cross join last_bill
    where
        -- A cycle is counted only after its end.
        billing_lines.charge_end_date < last_bill.billing_date
        -- A legacy bill has prorated pieces that end within their cycle.
        and (
            billing_lines.charge_kind = 'cycle'
            or billing_lines.source_format <> 'legacy_license_based'
        )
    group by billing_lines.subscription_id, billing_lines.charge_end_date

),

-- A first count, for the cycle that is charged before any has ended.
openings as (

    select
        subscriptions.subscription_id,
        greatest(
            cast({{ dbt.dateadd('day', -1, 'subscriptions.first_charge_date') }} as date),
            state_ranges.first_state_date
        ) as counted_on,
        'opening' as count_reason
    from subscriptions
    inner join state_ranges on subscriptions.organization_id = state_ranges.organization_id

),

latest as (

    select
        subscriptions.subscription_id,
        state_ranges.last_state_date as counted_on,
        'latest' as count_reason
    from subscriptions
    inner join state_ranges on subscriptions.organization_id = state_ranges.organization_id

),

count_days as (

    select * from cycle_ends
    union all
    select * from openings
    union all
    select * from latest

),

-- The directory at the end of the day.
with_state as (

    select
        count_days.subscription_id,
        count_days.counted_on,
        count_days.count_reason,
        subscriptions.organization_id,
        states.state_date
    from count_days
    inner join subscriptions on count_days.subscription_id = subscriptions.subscription_id
    inner join states
        on
            subscriptions.organization_id = states.organization_id
            and count_days.counted_on >= states.state_date
            and count_days.counted_on < states.next_state_date

)

select * from with_state
