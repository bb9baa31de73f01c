{%- set whole_line = 'cast(sum(%s) over line as decimal(28, 10))' %}
with

report_rows as (

    select * from {{ ref('int_report_rows') }}

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
        ) as unit_price
    from report_rows
    window line as (partition by line_id, billing_period)

)

select * from final
