{#- Creations and deletions of cost centers. A bare event names the cost center it is about. -#}
with

split_events as (

    select * from {{ ref('int_split_events') }}

),

event_rows as (

    select * from {{ ref('int_split_event_rows') }}

),

listed as (

    select
        split_events.event_id,
        split_events.subscription_id,
        split_events.event_kind,
        split_events.event_number,
        event_rows.cost_center_id
    from split_events
    inner join event_rows on split_events.event_id = event_rows.event_id
    where
        event_rows.allocated_quantity is null
        and event_rows.cost_center_id is not null
        and split_events.event_kind in ('center_created', 'center_deleted')

),

implied as (

    select
        event_id,
        subscription_id,
        event_kind,
        event_number,
        named_cost_center_id as cost_center_id
    from split_events
    where is_implied

)

select * from listed
union all
select * from implied
