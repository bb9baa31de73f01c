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

ledger_rows as (

    select * from {{ ref('stg_ledger__lines') }}

),

ledger_splits as (

    select * from {{ ref('int_ledger_splits') }}

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
        false as is_unallocated
    from tag_rules
    group by split_id, cost_center_id

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

-- A refund may have to use a posted split that landing no longer contains.
of_ledger as (

    select
        ledger_splits.split_id,
        ledger_rows.cost_center_id,
        ledger_rows.cost_center_name_then as cost_center_name,
        ledger_rows.allocated_quantity,
        ledger_rows.is_unallocated
    from ledger_splits
    inner join ledger_rows
        on
            ledger_splits.line_id = ledger_rows.line_id
            and ledger_splits.posting_number = ledger_rows.posting_number

),

of_corrections as (

    select
        concat('correction:', correction_id) as split_id,
        cost_center_id,
        cast(null as varchar) as cost_center_name,
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
