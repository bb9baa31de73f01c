{#-
Cumulative allocations are computed here, once per snapshot row, where there are few, so that
the many billing lines need no window.
-#}
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

-- Lines that no split applies to take this one: everything to Default.
all_to_default as (

    select
        {{ default_split_id('organization_id') }} as split_id,
        cost_center_id,
        cost_center_name,
        cast(1 as decimal(28, 10)) as allocated_quantity,
        false as is_unallocated
    from default_cost_centers

),

-- Lines whose tags name a cost center take this one: everything to it.
all_to_tagged as (

    select
        split_id,
        cost_center_id,
        cast(null as varchar) as cost_center_name,
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

-- A refund may have to go by a split that was posted and is not known otherwise any more.
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

),

-- Whole licenses are counted as they are, parts of licenses in ten thousandths.
with_unit as (

    select
        *,
        case
            when
                bool_and(allocated_quantity = cast(allocated_quantity as bigint))
                    over (partition by split_id)
                then 1
            else 10000
        end as units_per_license
    from all_splits

),

in_units as (

    select
        split_id,
        cost_center_id,
        cost_center_name,
        allocated_quantity,
        is_unallocated,
        cast(allocated_quantity * units_per_license as bigint) as allocated_units
    from with_unit

),

cumulative as (

    select
        *,
        cast(
            sum(allocated_units) over (
                partition by split_id
                order by cost_center_id
                rows between unbounded preceding and current row
            ) as bigint
        ) as high_units,
        cast(sum(allocated_units) over (partition by split_id) as bigint) as total_units
    from in_units

),

shared_out as (

    select
        split_id,
        cost_center_id,
        cost_center_name,
        allocated_quantity,
        cast(
            sum(allocated_quantity) over (partition by split_id) as decimal(28, 10)
        ) as allocated_total,
        is_unallocated,
        high_units - allocated_units as low_units,
        high_units,
        total_units,
        {{ narrow_limit('total_units') }} as narrow_limit,
        case
            when total_units = 0 then 0
            else
                {{ cumulative_share('high_units', 'total_units') }}
                - {{ cumulative_share('high_units - allocated_units', 'total_units') }}
        end as exact_share
    from cumulative

)

select
    * exclude (exact_share),
    cast(exact_share as decimal(18, 10)) as share
from shared_out
