{#-
Fails if amounts received less amounts given by a cost center differ from `moves`, if moves are in
no row of the model, or if the moves of an organization's period do not sum to zero. The total after
sharing would then differ from the total before.
-#}
{% test moved_amounts_balance(model, moves) %}

with

moved as (

    {% for side, sign in [('to', ''), ('from', '-')] %}
        select
            billing_period,
            organization_id,
            currency,
            {{ side }}_cost_center_id as cost_center_id,
            product_name,
            {{ sign }}shared_cost as shared_cost,
            {{ sign }}coalesce(shared_sales, 0) as shared_sales
        from {{ moves }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

of_moves as (

    select
        billing_period,
        organization_id,
        currency,
        cost_center_id,
        product_name,
        sum(shared_cost) as shared_cost,
        sum(shared_sales) as shared_sales
    from moved
    group by billing_period, organization_id, currency, cost_center_id, product_name

),

of_model as (

    select
        billing_period,
        organization_id,
        currency,
        cost_center_id,
        product_name,
        sum(shared_cost) as shared_cost,
        sum(coalesce(shared_sales, 0)) as shared_sales
    from {{ model }}
    group by billing_period, organization_id, currency, cost_center_id, product_name

),

in_total as (

    select
        billing_period,
        organization_id,
        currency,
        sum(cost_after_sharing) as cost_after_sharing,
        sum(total_cost) as total_cost,
        coalesce(sum(sales_after_sharing), 0) as sales_after_sharing,
        coalesce(sum(total_sales), 0) as total_sales
    from {{ model }}
    group by billing_period, organization_id, currency

),

validation_errors as (

    select
        coalesce(of_model.billing_period, of_moves.billing_period) as billing_period,
        coalesce(of_model.organization_id, of_moves.organization_id) as organization_id,
        coalesce(of_model.currency, of_moves.currency) as currency,
        coalesce(of_model.cost_center_id, of_moves.cost_center_id) as cost_center_id,
        of_model.shared_cost as cost_here,
        of_moves.shared_cost as cost_there,
        of_model.shared_sales as sales_here,
        of_moves.shared_sales as sales_there
    from of_model
    full outer join of_moves
        on
            of_model.billing_period = of_moves.billing_period
            and of_model.organization_id = of_moves.organization_id
            and of_model.currency = of_moves.currency
            and of_model.cost_center_id = of_moves.cost_center_id
            and of_model.product_name is not distinct from of_moves.product_name
    where
        of_model.billing_period is null
        or of_model.shared_cost <> coalesce(of_moves.shared_cost, 0)
        or of_model.shared_sales <> coalesce(of_moves.shared_sales, 0)
    union all
    select
        billing_period,
        organization_id,
        currency,
        '(all of them)' as cost_center_id,
        cost_after_sharing as cost_here,
        total_cost as cost_there,
        sales_after_sharing as sales_here,
        total_sales as sales_there
    from in_total
    where cost_after_sharing <> total_cost or sales_after_sharing <> total_sales

)

select * from validation_errors

{% endtest %}
