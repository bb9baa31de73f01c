{#-
The rule that covers each amount. A subscription's rule takes precedence over its product's rule,
and both over the rule of the cost center that bears the cost. No amount is passed on by two rules.
-#}
with

open_costs as (

    select * from {{ ref('int_open_costs') }}

),

rules as (

    select * from {{ ref('int_shared_cost_rules') }}
    where step is not null

),

ruled as (

    select
        open_costs.*,
        coalesce(by_subscription.rule_id, by_product.rule_id, by_cost_center.rule_id) as rule_id
    from open_costs
    left join rules as by_subscription
        on
            open_costs.billing_period = by_subscription.billing_period
            and open_costs.organization_id = by_subscription.organization_id
            and open_costs.subscription_id = by_subscription.source_key
            and by_subscription.source_kind = 'subscription'
    left join rules as by_product
        on
            open_costs.billing_period = by_product.billing_period
            and open_costs.organization_id = by_product.organization_id
            and lower(open_costs.product_name) = by_product.source_key
            and by_product.source_kind = 'product'
    left join rules as by_cost_center
        on
            open_costs.billing_period = by_cost_center.billing_period
            and open_costs.organization_id = by_cost_center.organization_id
            and open_costs.cost_center_id = by_cost_center.source_key
            and by_cost_center.source_kind = 'cost_center'

)

select * from ruled
