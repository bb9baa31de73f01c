{#-
Past and future known cost per cost center and month, for each forecast origin. The month of a bill
is its billing period. Parts of the past are the recurring cost of products that are still charged,
and usage, to which charges of unknown subscriptions belong; one-time charges are in neither. Parts
of the future are committed charges, renewals and usage.
-#}
with

borne_costs as (

    select * from {{ ref('int_borne_costs') }}

),

expected_spend as (

    select * from {{ ref('int_expected_spend') }}

),

forecast_origins as (

    select * from {{ ref('int_forecast_origins') }}

),

last_cycles as (

    select * from {{ ref('int_last_cycles') }}

),

products as (

    select
        origin_month,
        organization_id,
        product_name,
        coalesce(max(next_bill_month > origin_month and seats > 0), false) as is_still_charged
    from last_cycles
    group by origin_month, organization_id, product_name

),

borne as (

    select
        forecast_origins.origin_month,
        borne_costs.organization_id,
        borne_costs.cost_center_id,
        borne_costs.currency,
        cast(concat_ws('', borne_costs.billing_period, '-01') as date) as month,
        borne_costs.amortized_cost as cost,
        borne_costs.amortized_sales as sales,
        case
            when
                products.is_still_charged
                and borne_costs.charge_kind in ('cycle', 'extra', 'refund')
                then borne_costs.amortized_cost
            else 0
        end as recurring_cost,
        case
            when
                borne_costs.charge_kind in ('usage', 'tax')
                or (borne_costs.charge_kind = 'cycle' and products.organization_id is null)
                then borne_costs.amortized_cost
            else 0
        end as usage_cost,
        0 as committed_cost,
        0 as renewal_cost,
        0 as renewal_variance,
        0 as committed_sales
    from borne_costs
    inner join forecast_origins
        on
            borne_costs.organization_id = forecast_origins.organization_id
            and borne_costs.billing_period <= forecast_origins.origin_period
            and borne_costs.billed_period <= forecast_origins.origin_period
    left join products
        on
            forecast_origins.origin_month = products.origin_month
            and borne_costs.organization_id = products.organization_id
            and borne_costs.product_name is not distinct from products.product_name

),

to_come as (

    select
        origin_month,
        organization_id,
        cost_center_id,
        currency,
        month,
        expected_cost as cost,
        expected_sales as sales,
        0 as recurring_cost,
        case when commitment = 'usage' then expected_cost else 0 end as usage_cost,
        case when commitment in ('billed', 'committed') then expected_cost else 0 end
            as committed_cost,
        case when commitment = 'renewal' then expected_cost else 0 end as renewal_cost,
        variance as renewal_variance,
        case when commitment in ('billed', 'committed') then expected_sales else 0 end
            as committed_sales
    from expected_spend

),

unioned as (

    select * from borne
    union all
    select * from to_come

),

summed as (

    select
        origin_month,
        organization_id,
        cost_center_id,
        currency,
        month,
        cast(sum(cost) as decimal(28, 10)) as cost,
        cast(sum(sales) as decimal(28, 10)) as sales,
        {% for part in [
            'recurring_cost', 'usage_cost', 'committed_cost', 'renewal_cost', 'committed_sales'
        ] -%}
            cast(sum({{ part }}) as decimal(28, 10)) as {{ part }},
        {% endfor -%}
        cast(sum(renewal_variance) as decimal(38, 4)) as renewal_variance
    from unioned
    group by origin_month, organization_id, cost_center_id, currency, month

),

with_largest as (

    select
        *,
        max(abs(cost)) over (
            partition by origin_month, organization_id, cost_center_id, currency
        ) as largest_cost,
        max(abs(sales)) over (
            partition by origin_month, organization_id, cost_center_id, currency
        ) as largest_sales
    from summed

),

-- A Default that never received a cost has rows of zeros on bills. They are not a history.
final as (

    select
        origin_month,
        organization_id,
        cost_center_id,
        currency,
        month,
        cost,
        sales,
        recurring_cost,
        usage_cost,
        committed_cost,
        renewal_cost,
        renewal_variance,
        committed_sales
    from with_largest
    where largest_cost > 0 or largest_sales > 0

)

select * from final
