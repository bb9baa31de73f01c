{{ config(materialized='view') }}
with

allocations as (

    select * from {{ ref('int_split_allocations') }}

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

ledger_split_rows as (

    select * from {{ ref('int_ledger_split_rows') }}

),

corrections as (

    select * from {{ ref('int_corrections') }}

),

tag_rules as (

    select * from {{ ref('int_line_tag_rules') }}

),

-- The split of lines that no split applies to.
all_to_default as (

    select
        {{ default_split_id('organization_id') }} as split_id,
        cost_center_id,
        cost_center_name,
        cast(1 as decimal(28, 10)) as allocated_quantity,
        true as is_unallocated
    from default_cost_centers

),

-- The split of lines that name a cost center.
all_to_tagged as (

    select
        split_id,
        cost_center_id,
        max(cost_center_name) as cost_center_name,
        cast(1 as decimal(28, 10)) as allocated_quantity,
        is_unallocated
    from tag_rules
    group by split_id, cost_center_id, is_unallocated

),

of_snapshots as (

    select
        snapshots.snapshot_id as split_id,
        allocations.cost_center_id,
        allocations.cost_center_name,
        allocations.allocated_quantity,
        allocations.is_unallocated
    from allocations
    inner join snapshots on allocations.event_id = snapshots.snapshot_id

),

of_ledger as (

    select
        split_id,
        cost_center_id,
        cost_center_name_then as cost_center_name,
        allocated_quantity,
        is_unallocated
    from ledger_split_rows

),

of_corrections as (

    select
        concat_ws('', 'correction:', correction_id) as split_id,
        cost_center_id,
        cast(null as string) as cost_center_name,
        allocated_quantity,
        false as is_unallocated
    from corrections

),

all_splits as (

    select * from all_to_default
    union all
    select * from all_to_tagged
    union all
    select * from of_snapshots
    union all
    select * from of_ledger
    union all
    select * from of_corrections

)

select * from all_splits
