with

billing_report as (

    select * from {{ ref('billing_report') }}

),

final as (

    select
        product_name,
        count(distinct sku_id) as sku_count,
        count(distinct provider) as provider_count,
        max(case when charge_kind = 'usage' then 1 else 0 end) = 1 as is_metered,
        min(billing_period) as first_billing_period,
        max(billing_period) as last_billing_period
    from billing_report
    where product_name is not null
    group by product_name

)

select * from final
