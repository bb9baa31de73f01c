with

billing_report as (

    select * from {{ ref('billing_report') }}

),

final as (

    select
        organization_id,
        subscription_id,
        {{ latest_name('product_name') }} as product_name,
        max(case when charge_kind = 'usage' then 1 else 0 end) = 1 as is_metered,
        min(billing_period) as first_billing_period,
        max(billing_period) as last_billing_period,
        max(charge_end_date) as paid_through_date
    from billing_report
    where subscription_id is not null
    group by organization_id, subscription_id

)

select * from final
