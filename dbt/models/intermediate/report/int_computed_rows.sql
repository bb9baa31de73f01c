{#-
Every billing line in landing and cost center, as it would be billed today: the parts of cost, with
the parts of sales and the sentence. A view, so that the sentence of each row is written once, in the
report.
-#}
{{ config(materialized='view') }}

with

split_lines as (

    select * from {{ ref('int_billing_lines_split') }}

),

line_sales as (

    select * from {{ ref('int_line_sales') }}

),

split_reasons as (

    select * from {{ ref('split_reasons') }}

),

line_states as (

    select * from {{ ref('int_line_states') }}

),

-- Sales are divided by the same shares as cost.
sold as (

    select
        split_lines.*,
        {{ part_for_share('line_sales.total_sales', 'split_lines') }} as total_sales,
        line_sales.price_source,
        line_sales.price_explanation,
        line_states.line_state,
        split_reasons.meaning as split_reason_meaning,
        split_lines.total_cost
        - ({{ unrounded_part(
            'split_lines.line_total_cost',
            'split_lines.low_units', 'split_lines.high_units', 'split_lines.total_units',
            'split_lines.narrow_limit'
        ) }}) as cost_rounding
    from split_lines
    inner join line_sales on split_lines.line_id = line_sales.line_id
    inner join split_reasons on split_lines.split_reason = split_reasons.split_reason
    left join line_states on split_lines.line_id = line_states.line_id

),

final as (

    select
        billing_period,
        billing_date,
        provider,
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
        {{ exact_amounts() | join(',\n        ') }},
        total_sales,
        cast(total_sales - total_cost as decimal(28, 10)) as total_margin,
        currency,
        share,
        snapshot_effective_at,
        split_reason,
        is_unallocated,
        refund_of_line_id,
        cost_center_name_then,
        billing_period as original_billing_period,
        source_format,
        file,
        row_number,
        snapshot_id,
        product_id,
        quantity_unit,
        unit_price,
        allocated_quantity,
        price_source,
        price_explanation,
        proration_rule,
        billing_period_start,
        billing_period_end,
        line_state,
        {{ split_explanation('sold') }} as explanation
    from sold

)

select * from final
