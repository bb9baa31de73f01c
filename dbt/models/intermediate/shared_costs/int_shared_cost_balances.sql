{#- Shared costs received less shared costs given, per cost center. All rows sum to zero. -#}
with

shared_costs as (

    select * from {{ ref('int_shared_costs') }}

),

sides as (

    {% for side, sign in [('to', ''), ('from', '-')] %}
        select
            billing_period,
            organization_id,
            organization_name,
            currency,
            {{ side }}_cost_center_id as cost_center_id,
            {{ side }}_cost_center_name as cost_center_name,
            product_name,
            {{ sign }}shared_cost as shared_cost,
            {{ sign }}shared_sales as shared_sales
        from shared_costs
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

balances as (

    select
        billing_period,
        organization_id,
        max(organization_name) as organization_name,
        currency,
        cost_center_id,
        max(cost_center_name) as cost_center_name,
        product_name,
        cast(sum(shared_cost) as decimal(28, 10)) as shared_cost,
        cast(sum(shared_sales) as decimal(28, 10)) as shared_sales
    from sides
    group by billing_period, organization_id, currency, cost_center_id, product_name

)

select * from balances
