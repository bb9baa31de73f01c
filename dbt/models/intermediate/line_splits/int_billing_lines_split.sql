{#-
Every billing line that is not posted, divided over the cost centers of its split: its quantity and its
cost. The columns of the line stay on each part, so that no later model joins the lines again. Sales are
divided in int_computed_rows: cost does not wait for prices.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

line_snapshots as (

    select * from {{ ref('int_line_snapshots') }}

),

shares as (

    select * from {{ ref('int_split_shares') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

proration as (

    select * from {{ ref('int_line_proration') }}

),

line_costs as (

    select * from {{ ref('int_focus_line_costs') }}

),

-- One row per billing line before the join with shares, one per line and cost center after it.
parts as (

    select
        billing_lines.billing_period,
        billing_lines.billing_date,
        billing_lines.provider,
        billing_lines.invoice_number,
        billing_lines.organization_id,
        billing_lines.organization_name,
        billing_lines.subscription_id,
        billing_lines.product_id,
        billing_lines.product_name,
        billing_lines.sku_id,
        billing_lines.charge_type,
        billing_lines.charge_kind,
        billing_lines.charge_start_date,
        billing_lines.charge_end_date,
        billing_lines.billing_line_details,
        billing_lines.quantity_unit,
        billing_lines.unit_price,
        billing_lines.currency,
        billing_lines.source_format,
        billing_lines.file,
        billing_lines.row_number,
        billing_lines.line_id,
        billing_lines.total_cost as line_total_cost,
        proration.proration_rule,
        line_snapshots.cutoff_at,
        line_snapshots.tag_key,
        line_snapshots.refund_of_line_id,
        line_snapshots.snapshot_id,
        line_snapshots.snapshot_effective_at,
        line_snapshots.snapshot_event,
        case
            when line_snapshots.split_reason <> 'snapshot' then line_snapshots.split_reason
            when shares.is_unallocated then 'unallocated'
            when line_snapshots.is_over_allocated then 'over_allocated'
            else 'snapshot'
        end as split_reason,
        shares.cost_center_id,
        coalesce(
            cost_centers.cost_center_name, shares.cost_center_name, shares.cost_center_id
        ) as cost_center_name,
        coalesce(shares.cost_center_name, cost_centers.cost_center_name)
            as cost_center_name_then,
        shares.allocated_quantity,
        shares.allocated_total,
        shares.is_unallocated,
        shares.share,
        shares.low_units,
        shares.high_units,
        shares.total_units,
        shares.narrow_limit,
        {{ part_for_share('billing_lines.quantity', 'shares') }} as quantity,
        {{ part_for_share('billing_lines.total_cost', 'shares') }} as total_cost,
        {%- for amount in exact_amounts() %}
        {{ exact_part_for_share(
            'line_costs.' ~ amount, 'line_costs.rounded_' ~ amount, 'shares'
        ) }} as {{ amount }},
        {%- endfor %}
        line_costs.billing_period_start,
        line_costs.billing_period_end
    from billing_lines
    inner join line_snapshots on billing_lines.line_id = line_snapshots.line_id
    inner join shares on line_snapshots.split_id = shares.split_id
    left join cost_centers
        on
            billing_lines.organization_id = cost_centers.organization_id
            and shares.cost_center_id = cost_centers.cost_center_id
    left join proration on billing_lines.line_id = proration.line_id
    left join line_costs on billing_lines.line_id = line_costs.line_id

)

select * from parts
