{#-
Every cost center with past or future costs, with its name and business unit. A cost center that is
not in the list has its last billed name.
-#}
with

report_rows as (

    select * from {{ ref('int_report_rows') }}

),

committed_spend as (

    select * from {{ ref('int_committed_spend') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

billed as (

    select
        organization_id,
        cost_center_id,
        {{ latest_name('organization_name') }} as organization_name,
        {{ latest_name('cost_center_name') }} as cost_center_name
    from report_rows
    group by organization_id, cost_center_id

),

to_be_billed as (

    select
        organization_id,
        cost_center_id,
        max(organization_name) as organization_name
    from committed_spend
    group by organization_id, cost_center_id

),

either as (

    select
        coalesce(billed.organization_id, to_be_billed.organization_id) as organization_id,
        coalesce(billed.cost_center_id, to_be_billed.cost_center_id) as cost_center_id,
        coalesce(billed.organization_name, to_be_billed.organization_name)
            as organization_name,
        billed.cost_center_name as billed_name
    from billed
    full outer join to_be_billed
        on
            billed.organization_id = to_be_billed.organization_id
            and billed.cost_center_id = to_be_billed.cost_center_id

),

final as (

    select
        either.organization_id,
        either.cost_center_id,
        either.organization_name,
        coalesce(either.billed_name, cost_centers.cost_center_name, either.cost_center_id)
            as cost_center_name,
        coalesce(cost_centers.business_unit, '(none)') as business_unit
    from either
    left join cost_centers
        on
            either.organization_id = cost_centers.organization_id
            and either.cost_center_id = cost_centers.cost_center_id

)

select * from final
