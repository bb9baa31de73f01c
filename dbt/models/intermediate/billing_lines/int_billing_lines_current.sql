{{ config(materialized='view') }}

with

line_fates as (

    select * from {{ ref('int_line_fates') }}

),

current_lines as (

    select
        {{ surrogate_id(['line_hash', 'occurrence']) }} as line_id,
        file,
        landed_file,
        row_number,
        content_hash,
        source_format,
        charge_source,
        provider,
        invoice_number,
        billing_date,
        customer_id,
        customer_domain,
        customer_name,
        subscription_id,
        product_id,
        product_name,
        sku_id,
        charge_type,
        charge_start_date,
        charge_end_date,
        billing_line_details,
        billed_quantity,
        unit_price,
        total_cost,
        total_sales,
        billed_margin,
        rounding_residual,
        currency,
        reference_id,
        tags,
        allocated_tags,
        allocated_resource_id,
        split_cost_center_id,
        split_cost_center_name,
        occurrence,
        copy_count
    from line_fates
    where fate = 'billed'

)

select * from current_lines
