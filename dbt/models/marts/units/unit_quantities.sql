{#- Quantities of units, each unit of measurement by itself. -#}
with

billing_report as (

    select * from {{ ref('billing_report') }}

),

unit_members as (

    select * from {{ ref('unit_members') }}

),

quantities as (

    select
        billing_period,
        organization_id,
        cost_center_id,
        product_name,
        quantity_unit,
        sum(quantity) as quantity
    from billing_report
    group by billing_period, organization_id, cost_center_id, product_name, quantity_unit

),

final as (

    select
        quantities.billing_period,
        quantities.organization_id,
        unit_members.unit_kind,
        unit_members.unit_id,
        max(unit_members.unit_name) as unit_name,
        max(unit_members.parent_unit_id) as parent_unit_id,
        quantities.product_name,
        quantities.quantity_unit,
        cast(sum(quantities.quantity) as decimal(28, 10)) as quantity,
        {{ period_start('quantities.billing_period') }} as billing_period_start
    from quantities
    inner join unit_members
        on
            quantities.organization_id = unit_members.organization_id
            and quantities.cost_center_id = unit_members.cost_center_id
    group by
        quantities.billing_period,
        quantities.organization_id,
        unit_members.unit_kind,
        unit_members.unit_id,
        quantities.product_name,
        quantities.quantity_unit
    having sum(quantities.quantity) <> 0

)

select * from final
