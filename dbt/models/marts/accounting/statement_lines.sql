with

statement_amounts as (

    select * from {{ ref('int_statement_amounts') }}

),

final as (

    select
        billing_period,
        organization_id,
        organization_name,
        currency,
        cost_center_id,
        cost_center_name,
        section,
        section_order,
        corrected_period,
        line_count,
        unpriced_line_count,
        quantity,
        amount_basis,
        amount,
        billed_amount,
        total_cost,
        billed_cost,
        total_sales,
        billed_sales,
        currency_decimals,
        quantity_unit
    from statement_amounts

)

select * from final
