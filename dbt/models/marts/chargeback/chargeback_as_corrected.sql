{#- Same amounts as chargeback, but with each correction in the period that it corrects. -#}
with

billing_report as (

    select * from {{ ref('billing_report') }}

),

charged as (

    select
        original_billing_period as billing_period,
        organization_id,
        {{ latest_name('organization_name') }} as organization_name,
        cost_center_id,
        {{ latest_name('cost_center_name') }} as cost_center_name,
        product_name,
        currency,
        {{ quantity_of_sum() }} as quantity,
        cast(sum(total_cost) as decimal(28, 10)) as total_cost,
        cast(sum(total_sales) as decimal(28, 10)) as total_sales,
        cast(sum(total_margin) as decimal(28, 10)) as total_margin,
        cast(
            coalesce(sum(total_cost) filter (where charge_class = 'Correction'), 0)
            as decimal(28, 10)
        ) as corrected_cost,
        cast(sum(charged_amount) as decimal(28, 10)) as charged_amount,
        {{ unit_of_quantity_of_sum() }} as quantity_unit
    from billing_report
    group by
        original_billing_period,
        organization_id,
        cost_center_id,
        product_name,
        currency

)

select * from charged
