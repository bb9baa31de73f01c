{#-
The bill's rows as split cost allocation in FOCUS: origin charge, method, resource (here a cost
center) and ratio. Unallocated parts have no resource: the remainder of a split in Default, and
whole charges without a split or rule. Default has a resource if a split or a rule names it.
-#}
with

report_rows as (

    select
        -- Explanations are left out: they are most of a row's bytes, and no FOCUS column needs
        -- them.
        * exclude (explanation, price_explanation),
        coalesce(product_name, product_id, charge_type, 'Unnamed') as service_name
    from {{ ref('int_report_rows') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

-- Without a snapshot, either a tag identified the cost center or everything is in Default.
with_method as (

    select
        report_rows.*,
        case
            when report_rows.split_reason = 'corrected' then 'approved-correction'
            when report_rows.snapshot_id is not null then 'license-split'
            when report_rows.split_reason = 'tag_rule' then 'tag-rule'
            when report_rows.split_reason in ('no_snapshot', 'not_a_license', 'zero_total')
                then null
            when default_cost_centers.cost_center_id is null then 'tag-rule'
        end as own_method_id
    from report_rows
    left join default_cost_centers
        on
            report_rows.organization_id = default_cost_centers.organization_id
            and report_rows.cost_center_id = default_cost_centers.cost_center_id

),

with_own_part as (

    select
        *,
        own_method_id is not null and not is_unallocated as is_own_part_allocated,
        max(own_method_id) over (partition by billing_period, line_id) as allocated_method_id
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
        with_own_part.* exclude (own_method_id, is_own_part_allocated),
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

with_line as (

    select
        *,
        cast(sum(total_cost) over (partition by billing_period, line_id) as decimal(28, 10))
            as line_total_cost,
        {{ exact_sum('billed_cost', ' over (partition by billing_period, line_id)') }}
            as line_billed_cost,
        sum(share) over (partition by billing_period, line_id) as line_share,
        bool_and(allocated_resource_id is not null)
            over (partition by billing_period, line_id) as is_all_allocated
    from with_resource

),

-- If corrections were reversed as well, rows are differences, and their shares are not ratios.
with_ratio as (

    select
        * exclude (line_share),
        case
            when
                allocated_method_id in ('license-split', 'tag-rule') and line_share = 1
                then share
        end as allocated_ratio
    from with_line

)

select * from with_ratio
