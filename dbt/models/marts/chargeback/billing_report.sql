{{ config(meta={
    'partition_column': 'billing_period',
    'partitioned_by': {'int_report_rows': 'billing_period'},
}) }}

with

report_rows as (

    select * from {{ ref('int_report_rows') }}

),

-- Read again, without the columns that the sums do not need.
whole_lines as (

    select
        line_id,
        billing_period,
        organization_id,
        currency,
        cast(sum(quantity) as decimal(28, 10)) as quantity,
        cast(sum(total_cost) as decimal(28, 10)) as total_cost,
        cast(sum(total_sales) as decimal(28, 10)) as total_sales
    from {{ ref('int_report_rows') }}
    group by line_id, billing_period, organization_id, currency

),

-- Per line, as a quotient of wide numbers takes longer than all else in a row.
units as (

    select
        line_id,
        billing_period,
        cast({{ amount_per_unit('total_cost', 'quantity') }} as decimal(28, 10)) as unit_cost,
        cast({{ amount_per_unit('total_sales', 'quantity') }} as decimal(28, 10)) as unit_price
    from whole_lines

),

-- An organization that is sold to is charged sales, on all lines of a bill.
sold_bills as (

    select
        billing_period,
        organization_id,
        currency,
        true as is_sold
    from whole_lines
    where total_sales is not null
    group by billing_period, organization_id, currency

),

final as (

    select
        report_rows.billing_period,
        report_rows.billing_date,
        report_rows.invoice_number,
        report_rows.organization_id,
        report_rows.organization_name,
        report_rows.subscription_id,
        report_rows.product_name,
        report_rows.sku_id,
        report_rows.charge_type,
        report_rows.charge_kind,
        report_rows.charge_start_date,
        report_rows.charge_end_date,
        report_rows.billing_line_details,
        report_rows.line_id,
        report_rows.cost_center_id,
        report_rows.cost_center_name,
        report_rows.quantity,
        report_rows.total_cost,
        report_rows.total_sales,
        report_rows.total_margin,
        report_rows.currency,
        report_rows.share,
        report_rows.snapshot_effective_at,
        report_rows.split_reason,
        report_rows.is_unallocated,
        report_rows.refund_of_line_id,
        report_rows.charge_class,
        report_rows.explanation,
        report_rows.cost_center_name_then,
        report_rows.original_billing_period,
        report_rows.corrects_line_id,
        report_rows.price_source,
        report_rows.price_explanation,
        report_rows.proration_rule,
        report_rows.posting_number is not null as is_posted,
        report_rows.source_format,
        report_rows.file,
        report_rows.row_number,
        report_rows.provider,
        units.unit_cost,
        units.unit_price,
        case when sold_bills.is_sold then 'sales' else 'cost' end as amount_basis,
        case
            when sold_bills.is_sold then coalesce(report_rows.total_sales, 0)
            else report_rows.total_cost
        end as charged_amount,
        report_rows.is_default,
        {{ period_start('report_rows.billing_period') }} as billing_period_start,
        report_rows.quantity_unit
    from report_rows
    left join units
        on
            report_rows.line_id = units.line_id
            and report_rows.billing_period = units.billing_period
    left join sold_bills
        on
            report_rows.billing_period = sold_bills.billing_period
            and report_rows.organization_id is not distinct from sold_bills.organization_id
            and report_rows.currency = sold_bills.currency

)

select * from final
