with

snapshots as (

    select * from {{ ref('int_split_snapshots') }}

),

shares as (

    select * from {{ ref('int_split_shares') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

final as (

    select
        snapshots.organization_id,
        snapshots.subscription_id,
        snapshots.event,
        snapshots.valid_from,
        nullif(snapshots.valid_to, {{ far_future() }}) as valid_to,
        snapshots.recorded_at,
        shares.cost_center_id,
        coalesce(
            cost_centers.cost_center_name, shares.cost_center_name, shares.cost_center_id
        ) as cost_center_name,
        shares.allocated_quantity,
        snapshots.total_quantity,
        shares.share,
        shares.is_unallocated,
        snapshots.is_over_allocated,
        not snapshots.is_full_snapshot as is_derived,
        snapshots.valid_from = snapshots.valid_to as is_superseded,
        coalesce(shares.cost_center_name, cost_centers.cost_center_name)
            as cost_center_name_then,
        snapshots.snapshot_id
    from snapshots
    inner join shares on snapshots.snapshot_id = shares.split_id
    left join cost_centers
        on
            snapshots.organization_id = cost_centers.organization_id
            and shares.cost_center_id = cost_centers.cost_center_id

)

select * from final
