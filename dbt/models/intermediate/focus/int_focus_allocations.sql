{#-
The bill's rows as split cost allocation in FOCUS: origin charge, method, resource (here a cost
center) and ratio. Unallocated parts have no resource: the remainder of a split in Default, and
whole charges without a split or rule. Default has a resource if a split or a rule names it.
-#}
{{ config(meta={
    'partition_column': 'original_billing_period',
    'partitioned_by': {'int_report_rows': 'original_billing_period'},
}) }}

with

-- Explanations are left out: they are most of a row's bytes, and no FOCUS column needs them.
report_rows as (

    select
        * {{ without('explanation', 'price_explanation') }},
        coalesce(product_name, product_id, charge_type, 'Unnamed') as service_name
    from {{ ref('int_report_rows') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

-- Read again, with the columns that decide on the allocation: sums over wide rows take several
-- times as long.
amounts as (

    select
        billing_period,
        line_id,
        corrects_line_id,
        organization_id,
        cost_center_id,
        split_reason,
        snapshot_id,
        is_unallocated,
        allocated_quantity,
        share,
        total_cost,
        billed_cost
    from {{ ref('int_report_rows') }}

),

-- Without a snapshot, either a tag identified the cost center or everything is in Default.
with_method as (

    select
        amounts.*,
        case
            when amounts.split_reason = 'corrected' then 'approved-correction'
            when amounts.snapshot_id is not null then 'license-split'
            when amounts.split_reason = 'tag_rule' then 'tag-rule'
            when amounts.split_reason in ('no_snapshot', 'not_a_license', 'zero_total')
                then null
            when default_cost_centers.cost_center_id is null then 'tag-rule'
        end as own_method_id
    from amounts
    left join default_cost_centers
        on
            amounts.organization_id = default_cost_centers.organization_id
            and amounts.cost_center_id = default_cost_centers.cost_center_id

),

with_own_part as (

    select
        *,
        own_method_id is not null and not is_unallocated as is_own_part_allocated
    from with_method

),

-- A correction that reverses an unallocated amount is unallocated too, so that both cancel out.
not_allocated_before as (

    select
        line_id,
        cost_center_id
    from with_own_part
    where split_reason <> 'corrected'
    group by line_id, cost_center_id
    having not bool_or(is_own_part_allocated)

),

with_resource as (

    select
        with_own_part.*,
        case
            when not with_own_part.is_own_part_allocated then null
            when
                with_own_part.split_reason = 'corrected'
                and with_own_part.allocated_quantity = 0
                and not_allocated_before.line_id is not null
                then null
            else with_own_part.cost_center_id
        end as allocated_resource_id
    from with_own_part
    left join not_allocated_before
        on
            with_own_part.corrects_line_id = not_allocated_before.line_id
            and with_own_part.cost_center_id = not_allocated_before.cost_center_id

),

lines as (

    select
        billing_period,
        line_id,
        max(own_method_id) as allocated_method_id,
        cast(sum(total_cost) as decimal(28, 10)) as line_total_cost,
        {{ exact_sum('billed_cost') }} as line_billed_cost,
        sum(share) as line_share,
        bool_and(allocated_resource_id is not null) as is_all_allocated
    from with_resource
    group by billing_period, line_id

),

-- If corrections were reversed as well, rows are differences, and their shares are not ratios.
final as (

    select
        report_rows.*,
        lines.allocated_method_id,
        with_resource.allocated_resource_id,
        lines.line_total_cost,
        lines.line_billed_cost,
        lines.is_all_allocated,
        case
            when
                lines.allocated_method_id in ('license-split', 'tag-rule')
                and lines.line_share = 1
                then report_rows.share
        end as allocated_ratio
    from report_rows
    inner join with_resource
        on
            report_rows.billing_period = with_resource.billing_period
            and report_rows.line_id = with_resource.line_id
            and report_rows.cost_center_id = with_resource.cost_center_id
    inner join lines
        on
            report_rows.billing_period = lines.billing_period
            and report_rows.line_id = lines.line_id

)

select * from final
