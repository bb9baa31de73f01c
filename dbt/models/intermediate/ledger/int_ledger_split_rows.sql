{#-
The posted splits that other lines use: a refund may need one that landing no longer contains. A posted
correction names only the cost centers whose amounts it changed; the others keep their shares.
-#}
{{ config(materialized='view') }}
with

ledger_rows as (

    select * from {{ ref('stg_ledger__lines') }}

),

line_snapshots as (

    select * from {{ ref('int_line_snapshots') }}

),

used_splits as (

    select split_id from line_snapshots
    union
    select original_split_id from line_snapshots

),

ledger_splits as (

    select ledger_splits.*
    from {{ ref('int_ledger_splits') }} as ledger_splits
    inner join used_splits on ledger_splits.split_id = used_splits.split_id

),

posted_rows as (

    select
        ledger_splits.line_id,
        ledger_splits.split_id,
        ledger_splits.is_corrected,
        ledger_rows.cost_center_id,
        ledger_rows.cost_center_name_then,
        ledger_rows.allocated_quantity,
        ledger_rows.is_unallocated,
        ledger_rows.share
    from ledger_splits
    inner join ledger_rows
        on
            ledger_splits.line_id = ledger_rows.line_id
            and ledger_splits.posting_number = ledger_rows.posting_number

),

corrected_rows as (

    select
        ledger_splits.line_id,
        ledger_splits.split_id,
        ledger_rows.cost_center_id,
        ledger_rows.cost_center_name_then,
        ledger_rows.allocated_quantity,
        ledger_rows.share,
        row_number() over (
            partition by ledger_splits.line_id, ledger_rows.cost_center_id
            order by ledger_rows.posting_number desc nulls last
        ) as latest_first,
        row_number() over (
            partition by ledger_splits.line_id
            order by ledger_rows.posting_number desc nulls last, ledger_rows.share desc nulls last
        ) as latest_and_largest_first
    from ledger_splits
    inner join ledger_rows
        on
            ledger_splits.line_id = ledger_rows.corrects_line_id
            and ledger_splits.posting_number < ledger_rows.posting_number
    where ledger_rows.split_reason = 'corrected'

),

-- The licenses of the whole split: those of a cost center by its share of them.
corrected_totals as (

    select
        line_id,
        {{ amount_per_unit('allocated_quantity', 'share') }} as allocated_total
    from corrected_rows
    where latest_and_largest_first = 1

),

posted_before as (

    select * from posted_rows
    where is_corrected

),

last_corrected as (

    select * from corrected_rows
    where latest_first = 1

),

corrected_shares as (

    select
        coalesce(last_corrected.line_id, posted_before.line_id) as line_id,
        coalesce(last_corrected.split_id, posted_before.split_id) as split_id,
        coalesce(last_corrected.cost_center_id, posted_before.cost_center_id) as cost_center_id,
        coalesce(posted_before.cost_center_name_then, last_corrected.cost_center_name_then)
            as cost_center_name_then,
        coalesce(last_corrected.share, posted_before.share) as share
    from posted_before
    full outer join last_corrected
        on
            posted_before.line_id = last_corrected.line_id
            and posted_before.cost_center_id = last_corrected.cost_center_id

),

final as (

    select
        line_id,
        split_id,
        cost_center_id,
        cost_center_name_then,
        allocated_quantity,
        is_unallocated
    from posted_rows
    where not is_corrected
    union all
    -- Allocations have at most four decimals, shares have ten.
    select
        corrected_shares.line_id,
        corrected_shares.split_id,
        corrected_shares.cost_center_id,
        corrected_shares.cost_center_name_then,
        cast(
            round(corrected_shares.share * corrected_totals.allocated_total, 4)
            as decimal(28, 10)
        ) as allocated_quantity,
        false as is_unallocated
    from corrected_shares
    inner join corrected_totals on corrected_shares.line_id = corrected_totals.line_id

)

select * from final
