with

license_pool as (

    select * from {{ ref('int_license_pool') }}

),

final as (

    select
        organization_id,
        organization_name,
        subscription_id,
        product_name,
        cost_center_id,
        cost_center_name,
        bought_quantity,
        allotted_quantity,
        assigned_quantity,
        leaver_quantity,
        pending_quantity,
        pending_cost,
        currency,
        directory_date,
        quantity_unit
    from license_pool

)

select * from final
