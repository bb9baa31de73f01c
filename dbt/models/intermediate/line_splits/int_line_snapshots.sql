with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

line_cutoffs as (

    select * from {{ ref('int_line_cutoffs') }}

),

refund_links as (

    select * from {{ ref('int_refund_links') }}

),

ledger_splits as (

    select * from {{ ref('int_ledger_splits') }}

),

corrected_lines as (

    select * from {{ ref('int_corrected_lines') }}

),

tag_rules as (

    select * from {{ ref('int_line_tag_rules') }}

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}

),

corrected_splits as (

    select
        line_id,
        concat_ws('', 'correction:', correction_id) as split_id
    from corrected_lines

),

-- The split that was applied to a charge: in a closed period the posted one, regardless of later
-- changes of the split history, or the one that an approved correction put in its place.
applied_to_charges as (

    select
        coalesce(line_cutoffs.line_id, ledger_splits.line_id) as line_id,
        coalesce(
            corrected_splits.split_id,
            ledger_splits.split_id,
            line_cutoffs.snapshot_id,
            case
                when line_cutoffs.split_reason in ('no_snapshot', 'not_a_license')
                    then tag_rules.split_id
            end,
            {{ default_split_id('line_cutoffs.organization_id') }}
        ) as split_id,
        coalesce(
            corrected_splits.split_id,
            case when ledger_splits.is_corrected then 'correction:posted' end,
            ledger_splits.snapshot_id,
            line_cutoffs.snapshot_id
        ) as snapshot_id
    from line_cutoffs
    full outer join ledger_splits on line_cutoffs.line_id = ledger_splits.line_id
    left join corrected_splits on ledger_splits.line_id = corrected_splits.line_id
    left join tag_rules on line_cutoffs.line_id = tag_rules.line_id

),

with_original as (

    select
        line_cutoffs.line_id,
        line_cutoffs.organization_id,
        line_cutoffs.cutoff_at,
        line_cutoffs.billing_cut_at,
        line_cutoffs.split_reason,
        -- A split of the subscription does not divide a part again.
        case
            when not coalesce(tag_rules.is_split_by_bill, false) then line_cutoffs.snapshot_id
        end as snapshot_id,
        refund_links.refund_of_line_id,
        applied_to_charges.split_id as original_split_id,
        applied_to_charges.snapshot_id as original_snapshot_id,
        case
            when tag_rules.is_split_by_bill then null
            when refund_links.is_full_reversal then 'full_reversal'
            when
                refund_links.line_id is not null
                and billing_lines.refund_policy = 'mirror_original'
                then 'mirror_original'
            when refund_links.line_id is not null and line_cutoffs.split_reason = 'no_snapshot'
                then 'original_charge'
        end as original_reason,
        case
            when
                line_cutoffs.split_reason in ('no_snapshot', 'not_a_license')
                or tag_rules.is_split_by_bill
                then tag_rules.split_id
        end as tagged_split_id,
        tag_rules.tag_key,
        coalesce(tag_rules.is_split_by_bill, false) as is_split_by_bill
    from line_cutoffs
    inner join billing_lines on line_cutoffs.line_id = billing_lines.line_id
    left join refund_links on line_cutoffs.line_id = refund_links.line_id
    left join applied_to_charges
        on refund_links.refund_of_line_id = applied_to_charges.line_id
    left join tag_rules on line_cutoffs.line_id = tag_rules.line_id

),

decided as (

    select
        line_id,
        cutoff_at,
        billing_cut_at,
        refund_of_line_id,
        coalesce(
            original_reason,
            case
                when is_split_by_bill then 'split_by_bill'
                when tagged_split_id is not null then 'tag_rule'
            end,
            split_reason
        ) as split_reason,
        case
            when original_reason is not null then original_snapshot_id else snapshot_id
        end as snapshot_id,
        case
            when original_reason is not null then original_split_id
            else
                coalesce(
                    snapshot_id, tagged_split_id, {{ default_split_id('organization_id') }}
                )
        end as split_id,
        case
            when original_reason is null and tagged_split_id is not null then tag_key
        end as tag_key,
        -- The split under either policy, to show the difference. A reversal of the whole charge and
        -- a refund before the first split have the split of the charge under both.
        case
            when
                original_reason = 'full_reversal'
                or (original_reason is not null and split_reason = 'no_snapshot')
                then original_split_id
            else
                coalesce(
                    snapshot_id, tagged_split_id, {{ default_split_id('organization_id') }}
                )
        end as documented_split_id,
        original_split_id
    from with_original

),

final as (

    select
        decided.line_id,
        decided.split_id,
        decided.split_reason,
        decided.cutoff_at,
        decided.billing_cut_at,
        decided.refund_of_line_id,
        decided.tag_key,
        decided.documented_split_id,
        decided.original_split_id,
        decided.snapshot_id,
        snapshots.effective_at as snapshot_effective_at,
        snapshots.event as snapshot_event,
        coalesce(snapshots.is_over_allocated, false) as is_over_allocated
    from decided
    left join snapshots on decided.snapshot_id = snapshots.snapshot_id

)

select * from final
