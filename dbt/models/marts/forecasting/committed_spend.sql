with

charges_to_come as (

    select * from {{ ref('int_committed_spend') }}
    where is_latest

),

cost_center_units as (

    select * from {{ ref('int_cost_center_units') }}

),

final as (

    select
        charges_to_come.bill_month as month,
        charges_to_come.organization_id,
        cost_center_units.organization_name,
        charges_to_come.cost_center_id,
        cost_center_units.cost_center_name,
        charges_to_come.subscription_id,
        charges_to_come.product_name,
        charges_to_come.currency,
        charges_to_come.commitment,
        charges_to_come.charge_start_date,
        charges_to_come.charge_end_date,
        charges_to_come.term_end_date,
        charges_to_come.share,
        charges_to_come.quantity,
        charges_to_come.total_cost,
        charges_to_come.total_sales,
        charges_to_come.quantity_unit
    from charges_to_come
    inner join cost_center_units
        on
            charges_to_come.organization_id = cost_center_units.organization_id
            and charges_to_come.cost_center_id = cost_center_units.cost_center_id

)

select * from final
