{{ config(materialized='view') }}

with

line_fates as (

    select * from {{ ref('int_line_fates') }}

),

posted_line_ids as (

    select * from {{ ref('int_posted_line_ids') }}

),

with_line_id as (

    select
        *,
        {{ surrogate_id(['line_hash', 'occurrence']) }} as computed_line_id
    from line_fates
    where fate = 'billed'

),

current_lines as (

    select
        coalesce(posted_line_ids.posted_line_id, with_line_id.computed_line_id) as line_id,
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
        billed_unit,
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
        is_split_unallocated,
        occurrence,
        copy_count
    from with_line_id
    left join posted_line_ids
        on with_line_id.computed_line_id = posted_line_ids.computed_line_id

)

select * from current_lines
