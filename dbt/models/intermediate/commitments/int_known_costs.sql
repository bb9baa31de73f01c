{#-
Past and future known cost per cost center and month, for each forecast origin. The month of a bill
is its billing period.
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

borne as (

    select
        forecast_origins.origin_month,
        borne_costs.organization_id,
        borne_costs.cost_center_id,
        borne_costs.currency,
        cast(concat(borne_costs.billing_period, '-01') as date) as month,
        borne_costs.amortized_cost as cost,
        borne_costs.amortized_sales as sales
    from borne_costs
    inner join forecast_origins
        on
            borne_costs.organization_id = forecast_origins.organization_id
            and borne_costs.billing_period <= forecast_origins.origin_period
            and borne_costs.billed_period <= forecast_origins.origin_period

),

to_come as (

    select
        origin_month,
        organization_id,
        cost_center_id,
        currency,
        month,
        expected_cost as cost,
        expected_sales as sales
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
        cast(sum(sales) as decimal(28, 10)) as sales
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
        sales
    from with_largest
    where largest_cost > 0 or largest_sales > 0

)

select * from final
