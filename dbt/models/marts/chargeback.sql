with

billing_report as (

    select * from {{ ref('billing_report') }}

),

charged as (

    select
        billing_period,
        organization_id,
        organization_name,
        cost_center_id,
        cost_center_name,
        product_name,
        currency,
        cast(sum(quantity) as decimal(28, 10)) as quantity,
        cast(sum(total_cost) as decimal(28, 10)) as total_cost,
        cast(sum(total_sales) as decimal(28, 10)) as total_sales,
        cast(sum(total_margin) as decimal(28, 10)) as total_margin
    from billing_report
    group by
        billing_period,
        organization_id,
        organization_name,
        cost_center_id,
        cost_center_name,
        product_name,
        currency

)

select * from charged
