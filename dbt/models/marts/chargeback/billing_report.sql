{%- set whole_line = 'cast(sum(%s) over line as decimal(28, 10))' %}
with

report_rows as (

    select * from {{ ref('int_report_rows') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

-- An organization that is sold to is charged sales, on all lines of a bill.
based as (

    select
        report_rows.*,
        default_cost_centers.cost_center_id is not null as is_default,
        case when count(report_rows.total_sales) over bill > 0 then 'sales' else 'cost' end
            as amount_basis
    from report_rows
    left join default_cost_centers
        on
            report_rows.organization_id = default_cost_centers.organization_id
            and report_rows.cost_center_id = default_cost_centers.cost_center_id
    window
        bill as (
            partition by
                report_rows.billing_period, report_rows.organization_id, report_rows.currency
        )

),

final as (

    select
        billing_period,
        billing_date,
        invoice_number,
        organization_id,
        organization_name,
        subscription_id,
        product_name,
        sku_id,
        charge_type,
        charge_kind,
        charge_start_date,
        charge_end_date,
        billing_line_details,
        line_id,
        cost_center_id,
        cost_center_name,
        quantity,
        total_cost,
        total_sales,
        total_margin,
        currency,
        share,
        snapshot_effective_at,
        split_reason,
        is_unallocated,
        refund_of_line_id,
        charge_class,
        explanation,
        cost_center_name_then,
        original_billing_period,
        corrects_line_id,
        price_source,
        price_explanation,
        proration_rule,
        posting_number is not null as is_posted,
        source_format,
        file,
        row_number,
        provider,
        cast(
            {{ amount_per_unit(whole_line % 'total_cost', whole_line % 'quantity') }}
            as decimal(28, 10)
        ) as unit_cost,
        cast(
            {{ amount_per_unit(whole_line % 'total_sales', whole_line % 'quantity') }}
            as decimal(28, 10)
        ) as unit_price,
        amount_basis,
        case when amount_basis = 'sales' then coalesce(total_sales, 0) else total_cost end
            as charged_amount,
        is_default
    from based
    window line as (partition by line_id, billing_period)

)

select * from final
