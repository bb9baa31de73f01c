with

billing_report as (

    select * from {{ ref('billing_report') }}

),

borne_costs as (

    select * from {{ ref('int_borne_costs') }}

),

charged as (

    select
        billing_period,
        organization_id,
        cost_center_id,
        product_name,
        currency,
        sum(quantity) as quantity,
        sum(total_cost) as total_cost,
        sum(total_sales) as total_sales,
        sum(total_margin) as total_margin
    from billing_report
    group by billing_period, organization_id, cost_center_id, product_name, currency

),

last_periods as (

    select
        currency,
        max(billing_period) as billing_period
    from billing_report
    group by currency

),

borne as (

    select
        borne_costs.billing_period,
        borne_costs.organization_id,
        borne_costs.cost_center_id,
        borne_costs.product_name,
        borne_costs.currency,
        sum(borne_costs.amortized_cost) as amortized_cost
    from borne_costs
    inner join last_periods
        on
            borne_costs.currency = last_periods.currency
            and borne_costs.billing_period <= last_periods.billing_period
    group by
        borne_costs.billing_period,
        borne_costs.organization_id,
        borne_costs.cost_center_id,
        borne_costs.product_name,
        borne_costs.currency

),

names as (

    select
        organization_id,
        cost_center_id,
        billing_period,
        {{ latest_name('organization_name') }} as organization_name,
        {{ latest_name('cost_center_name') }} as cost_center_name
    from billing_report
    group by organization_id, cost_center_id, billing_period

),

-- In a period without a bill of theirs, cost centers have the name they had last before.
last_names as (

    select
        organization_id,
        cost_center_id,
        {{ latest_name('organization_name') }} as organization_name,
        {{ latest_name('cost_center_name') }} as cost_center_name
    from names
    group by organization_id, cost_center_id

),

joined as (

    select
        coalesce(charged.billing_period, borne.billing_period) as billing_period,
        coalesce(charged.organization_id, borne.organization_id) as organization_id,
        coalesce(charged.cost_center_id, borne.cost_center_id) as cost_center_id,
        coalesce(charged.product_name, borne.product_name) as product_name,
        coalesce(charged.currency, borne.currency) as currency,
        coalesce(charged.quantity, 0) as quantity,
        coalesce(charged.total_cost, 0) as total_cost,
        charged.total_sales,
        charged.total_margin,
        coalesce(borne.amortized_cost, 0) as amortized_cost
    from charged
    full outer join borne
        on
            charged.billing_period = borne.billing_period
            and charged.organization_id = borne.organization_id
            and charged.cost_center_id = borne.cost_center_id
            and charged.product_name is not distinct from borne.product_name
            and charged.currency = borne.currency

),

final as (

    select
        joined.billing_period,
        joined.organization_id,
        coalesce(names.organization_name, last_names.organization_name) as organization_name,
        joined.cost_center_id,
        coalesce(names.cost_center_name, last_names.cost_center_name) as cost_center_name,
        joined.product_name,
        joined.currency,
        cast(joined.quantity as decimal(28, 10)) as quantity,
        cast(joined.total_cost as decimal(28, 10)) as total_cost,
        cast(joined.total_sales as decimal(28, 10)) as total_sales,
        cast(joined.total_margin as decimal(28, 10)) as total_margin,
        cast(joined.amortized_cost as decimal(28, 10)) as amortized_cost
    from joined
    inner join last_names
        on
            joined.organization_id = last_names.organization_id
            and joined.cost_center_id = last_names.cost_center_id
    left join names
        on
            joined.organization_id = names.organization_id
            and joined.cost_center_id = names.cost_center_id
            and joined.billing_period = names.billing_period

)

select * from final
