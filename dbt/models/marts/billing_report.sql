with

split_lines as (

    select * from {{ ref('int_billing_lines_split') }}

),

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

final as (

    select
        billing_lines.billing_period,
        billing_lines.billing_date,
        billing_lines.invoice_number,
        billing_lines.organization_id,
        billing_lines.organization_name,
        billing_lines.subscription_id,
        billing_lines.product_name,
        billing_lines.sku_id,
        billing_lines.charge_type,
        billing_lines.charge_kind,
        billing_lines.charge_start_date,
        billing_lines.charge_end_date,
        billing_lines.billing_line_details,
        billing_lines.line_id,
        split_lines.cost_center_id,
        coalesce(
            cost_centers.cost_center_name,
            split_lines.cost_center_name_then,
            split_lines.cost_center_id
        ) as cost_center_name,
        split_lines.quantity,
        split_lines.total_cost,
        split_lines.total_sales,
        split_lines.total_margin,
        billing_lines.currency,
        split_lines.share,
        snapshots.effective_at as snapshot_effective_at,
        case
            when split_lines.line_split_reason <> 'snapshot' then split_lines.line_split_reason
            when split_lines.is_unallocated then 'unallocated'
            when snapshots.is_over_allocated then 'over_allocated'
            else 'snapshot'
        end as split_reason,
        split_lines.is_unallocated,
        split_lines.cost_center_name_then,
        billing_lines.file,
        billing_lines.row_number
    from split_lines
    inner join billing_lines on split_lines.line_id = billing_lines.line_id
    left join snapshots on split_lines.snapshot_id = snapshots.snapshot_id
    left join cost_centers
        on
            billing_lines.organization_id = cost_centers.organization_id
            and split_lines.cost_center_id = cost_centers.cost_center_id

)

select * from final
