{#-
Fails if the amortized cost over all months differs from the billed cost, per cost center, product
and currency.
-#}
{% test amortized_sums_to_billed(model) %}

with

amortized as (

    select
        organization_id,
        cost_center_id,
        product_name,
        currency,
        sum(amortized_cost) as amortized_cost
    from {{ model }}
    group by organization_id, cost_center_id, product_name, currency

),

billed as (

    select
        organization_id,
        cost_center_id,
        product_name,
        currency,
        sum(total_cost) as total_cost
    from {{ ref('billing_report') }}
    group by organization_id, cost_center_id, product_name, currency

),

validation_errors as (

    select
        billed.*,
        amortized.amortized_cost
    from billed
    full outer join amortized
        on
            billed.organization_id = amortized.organization_id
            and billed.cost_center_id = amortized.cost_center_id
            and billed.product_name is not distinct from amortized.product_name
            and billed.currency = amortized.currency
    where billed.total_cost is distinct from amortized.amortized_cost

)

select * from validation_errors

{% endtest %}
