with

shared_costs as (

    select * from {{ ref('int_shared_costs') }}

),

final as (

    select
        billing_period,
        organization_id,
        organization_name,
        currency,
        step,
        source_kind,
        source_id,
        source_name,
        method,
        from_cost_center_id,
        from_cost_center_name,
        to_cost_center_id,
        to_cost_center_name,
        product_name,
        share,
        sales_share,
        shared_cost,
        shared_sales,
        cast(shared_sales - shared_cost as decimal(28, 10)) as shared_margin,
        explanation,
        posting_number is not null as is_posted,
        {{ period_start('billing_period') }} as billing_period_start
    from shared_costs

)

select * from final
