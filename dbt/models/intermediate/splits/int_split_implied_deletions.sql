{{ config(materialized='view') }}
{#-
A cost center with an end is deleted at that instant in every split that gives it seats, unless the
subscription's own history lists a deletion that day.
-#}
with

event_rows as (

    select * from {{ ref('int_split_event_rows') }}

),

listed_events as (

    select * from {{ ref('int_split_listed_events') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

successions as (

    select * from {{ ref('int_cost_center_successions') }}

),

holders as (

    select
        subscription_id,
        organization_id,
        default_cost_center_id,
        cost_center_id,
        min(effective_at) as held_from
    from event_rows
    where allocated_quantity > 0
    group by subscription_id, organization_id, default_cost_center_id, cost_center_id

),

successors as (

    select
        holders.subscription_id,
        holders.organization_id,
        holders.default_cost_center_id,
        successions.successor_id as cost_center_id,
        holders.held_from
    from holders
    inner join successions
        on
            holders.organization_id = successions.organization_id
            and holders.cost_center_id = successions.cost_center_id

),

holders_and_successors as (

    select * from holders
    union
    select * from successors

),

listed_deletions as (

    select * from listed_events
    where event_key = 'costcenterdeleted'

),

implied_deletions as (

    select
        {{ surrogate_id([
            'holders_and_successors.subscription_id', "'implied deletion'",
            'cost_centers.cost_center_id', 'cost_centers.valid_to',
        ]) }} as event_id,
        holders_and_successors.subscription_id,
        holders_and_successors.organization_id,
        holders_and_successors.default_cost_center_id,
        'costcenterdeleted' as event_key,
        cost_centers.valid_to as effective_at,
        false as is_date_only,
        cost_centers.valid_to as recorded_at,
        cast(null as decimal(28, 10)) as event_sequence,
        cast(null as decimal(28, 10)) as total_quantity,
        'Cost center deleted' as event,
        cast(0 as bigint) as file_sequence,
        false as is_full_snapshot,
        cost_centers.cost_center_id as named_cost_center_id
    from holders_and_successors
    inner join cost_centers
        on
            holders_and_successors.organization_id = cost_centers.organization_id
            and holders_and_successors.cost_center_id = cost_centers.cost_center_id
    left join listed_deletions
        on
            holders_and_successors.subscription_id = listed_deletions.subscription_id
            and cast(cost_centers.valid_to as date)
            = cast(listed_deletions.effective_at as date)
            and coalesce(listed_deletions.named_cost_center_id, cost_centers.cost_center_id)
            = cost_centers.cost_center_id
    where
        cost_centers.valid_to is not null
        and holders_and_successors.held_from < cost_centers.valid_to
        and listed_deletions.event_id is null
    group by
        holders_and_successors.subscription_id,
        holders_and_successors.organization_id,
        holders_and_successors.default_cost_center_id,
        cost_centers.cost_center_id,
        cost_centers.valid_to

)

select * from implied_deletions
