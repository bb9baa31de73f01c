with

event_rows as (

    select * from {{ ref('int_split_event_rows') }}

),

listed_events as (

    select
        event_id,
        subscription_id,
        organization_id,
        default_cost_center_id,
        event_key,
        effective_at,
        is_date_only,
        recorded_at,
        event_sequence,
        -- An event without a total has as many licenses as it allocates.
        cast(
            coalesce(total_quantity, sum(allocated_quantity)) as decimal(28, 10)
        ) as total_quantity,
        min(event) as event,
        min(row_number) as file_sequence,
        -- Quantities are listed for all cost centers or for none; without any the event is bare.
        bool_or(allocated_quantity is not null) as is_full_snapshot,
        max(case when allocated_quantity is null then cost_center_id end)
            as named_cost_center_id
    from event_rows
    group by
        event_id,
        subscription_id,
        organization_id,
        default_cost_center_id,
        event_key,
        effective_at,
        is_date_only,
        recorded_at,
        event_sequence,
        total_quantity

)

select * from listed_events
