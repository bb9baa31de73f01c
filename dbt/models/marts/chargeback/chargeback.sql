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

last_periods as (

    select
        currency,
        max(billing_period) as billing_period
    from billing_report
    group by currency

),

-- Billed, borne and shared amounts, unioned.
unioned as (

    select
        billing_period,
        organization_id,
        cost_center_id,
        product_name,
        currency,
        quantity,
        quantity_unit,
        total_cost,
        total_sales,
        total_margin,
        0 as amortized_cost,
        0 as shared_cost,
        null as shared_sales
    from billing_report
    union all
    select
        borne_costs.billing_period,
        borne_costs.organization_id,
        borne_costs.cost_center_id,
        borne_costs.product_name,
        borne_costs.currency,
        0 as quantity,
        null as quantity_unit,
        0 as total_cost,
        null as total_sales,
        null as total_margin,
        borne_costs.amortized_cost,
        0 as shared_cost,
        null as shared_sales
    from borne_costs
    inner join last_periods
        on
            borne_costs.currency = last_periods.currency
            and borne_costs.billing_period <= last_periods.billing_period
    union all
    select
        billing_period,
        organization_id,
        cost_center_id,
        product_name,
        currency,
        0 as quantity,
        null as quantity_unit,
        0 as total_cost,
        null as total_sales,
        null as total_margin,
        0 as amortized_cost,
        shared_cost,
        shared_sales
    from shared_balances

),

summed as (

    select
        billing_period,
        organization_id,
        cost_center_id,
        product_name,
        currency,
        {{ quantity_of_sum() }} as quantity,
        {{ unit_of_quantity_of_sum() }} as quantity_unit,
        sum(total_cost) as total_cost,
        sum(total_sales) as total_sales,
        sum(total_margin) as total_margin,
        sum(amortized_cost) as amortized_cost,
        sum(shared_cost) as shared_cost,
        -- 0 if nothing is shared, null if there are no sales.
        coalesce(
            sum(shared_sales), case when sum(total_sales) is not null then 0 end
        ) as shared_sales,
        case when count(sum(total_sales)) over bill > 0 then 'sales' else 'cost' end as amount_basis
    from unioned
    group by billing_period, organization_id, cost_center_id, product_name, currency
    window bill as (partition by billing_period, organization_id, currency)

),

-- A cost center that only receives shared costs is on no billing line.
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

-- In a period without a bill, a cost center has its last previous name.
last_names as (

    select
        organization_id,
        cost_center_id,
        {{ latest_name('organization_name') }} as organization_name,
        {{ latest_name('cost_center_name') }} as cost_center_name
    from names
    group by organization_id, cost_center_id

),

final as (

    select
        summed.billing_period,
        summed.organization_id,
        coalesce(names.organization_name, last_names.organization_name) as organization_name,
        summed.cost_center_id,
        coalesce(names.cost_center_name, last_names.cost_center_name) as cost_center_name,
        summed.product_name,
        summed.currency,
        summed.quantity,
        cast(summed.total_cost as decimal(28, 10)) as total_cost,
        cast(summed.total_sales as decimal(28, 10)) as total_sales,
        cast(summed.total_margin as decimal(28, 10)) as total_margin,
        cast(summed.amortized_cost as decimal(28, 10)) as amortized_cost,
        cast(summed.shared_cost as decimal(28, 10)) as shared_cost,
        cast(summed.shared_sales as decimal(28, 10)) as shared_sales,
        cast(summed.total_cost + summed.shared_cost as decimal(28, 10)) as cost_after_sharing,
        cast(
            coalesce(summed.total_sales, 0) + summed.shared_sales as decimal(28, 10)
        ) as sales_after_sharing,
        summed.amount_basis,
        cast(
            case
                when summed.amount_basis = 'sales'
                    then coalesce(summed.total_sales, 0) + coalesce(summed.shared_sales, 0)
                else summed.total_cost + summed.shared_cost
            end as decimal(28, 10)
        ) as charged_amount,
        {{ period_start('summed.billing_period') }} as billing_period_start,
        summed.quantity_unit
    from summed
    inner join last_names
        on
            summed.organization_id = last_names.organization_id
            and summed.cost_center_id = last_names.cost_center_id
    left join names
        on
            summed.organization_id = names.organization_id
            and summed.cost_center_id = names.cost_center_id
            and summed.billing_period = names.billing_period

)

select * from final
