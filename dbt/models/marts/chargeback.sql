with

billing_report as (

    select * from {{ ref('billing_report') }}

),

borne_costs as (

    select * from {{ ref('int_borne_costs') }}

),

shared_balances as (

    select * from {{ ref('int_shared_cost_balances') }}

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

-- Who only receives shared costs is on no line of the bill.
named as (

    {% for relation in ['billing_report', 'shared_balances'] %}
        select
            organization_id,
            cost_center_id,
            billing_period,
            organization_name,
            cost_center_name
        from {{ relation }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

names as (

    select
        organization_id,
        cost_center_id,
        billing_period,
        {{ latest_name('organization_name') }} as organization_name,
        {{ latest_name('cost_center_name') }} as cost_center_name
    from named
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

-- Before and after sharing side by side. Nothing shared is 0, or null where nothing is sold.
shared as (

    select
        coalesce(joined.billing_period, shared_balances.billing_period) as billing_period,
        coalesce(joined.organization_id, shared_balances.organization_id) as organization_id,
        coalesce(joined.cost_center_id, shared_balances.cost_center_id) as cost_center_id,
        coalesce(joined.product_name, shared_balances.product_name) as product_name,
        coalesce(joined.currency, shared_balances.currency) as currency,
        coalesce(joined.quantity, 0) as quantity,
        coalesce(joined.total_cost, 0) as total_cost,
        joined.total_sales,
        joined.total_margin,
        coalesce(joined.amortized_cost, 0) as amortized_cost,
        coalesce(shared_balances.shared_cost, 0) as shared_cost,
        coalesce(
            shared_balances.shared_sales, case when joined.total_sales is not null then 0 end
        ) as shared_sales
    from joined
    full outer join shared_balances
        on
            joined.billing_period = shared_balances.billing_period
            and joined.organization_id = shared_balances.organization_id
            and joined.cost_center_id = shared_balances.cost_center_id
            and joined.product_name is not distinct from shared_balances.product_name
            and joined.currency = shared_balances.currency

),

final as (

    select
        shared.billing_period,
        shared.organization_id,
        coalesce(names.organization_name, last_names.organization_name) as organization_name,
        shared.cost_center_id,
        coalesce(names.cost_center_name, last_names.cost_center_name) as cost_center_name,
        shared.product_name,
        shared.currency,
        cast(shared.quantity as decimal(28, 10)) as quantity,
        cast(shared.total_cost as decimal(28, 10)) as total_cost,
        cast(shared.total_sales as decimal(28, 10)) as total_sales,
        cast(shared.total_margin as decimal(28, 10)) as total_margin,
        cast(shared.amortized_cost as decimal(28, 10)) as amortized_cost,
        cast(shared.shared_cost as decimal(28, 10)) as shared_cost,
        cast(shared.shared_sales as decimal(28, 10)) as shared_sales,
        cast(shared.total_cost + shared.shared_cost as decimal(28, 10)) as cost_after_sharing,
        cast(
            coalesce(shared.total_sales, 0) + shared.shared_sales as decimal(28, 10)
        ) as sales_after_sharing
    from shared
    inner join last_names
        on
            shared.organization_id = last_names.organization_id
            and shared.cost_center_id = last_names.cost_center_id
    left join names
        on
            shared.organization_id = names.organization_id
            and shared.cost_center_id = names.cost_center_id
            and shared.billing_period = names.billing_period

)

select * from final
