{#-
Fails with every prepaid purchase of a cost center that differs from the sum of its months, also if
it has none.
-#}
{% test prepaid_months_sum_to_purchases(model) %}

with

months as (

    select
        original_billing_period as billing_period,
        prepaid_line_id as line_id,
        cost_center_id,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(effective_sales) as effective_sales
    from {{ model }}
    group by original_billing_period, prepaid_line_id, cost_center_id

),

purchases as (

    select
        billing_period,
        line_id,
        cost_center_id,
        {{ exact_or_cost('billed_cost') }} as billed_cost,
        {{ exact_or_cost('list_cost') }} as list_cost,
        total_sales
    from {{ ref('int_focus_charges') }}
    where is_prepaid

),

validation_errors as (

    select
        coalesce(months.line_id, purchases.line_id) as line_id,
        coalesce(months.cost_center_id, purchases.cost_center_id) as cost_center_id,
        months.effective_cost,
        purchases.billed_cost,
        months.effective_sales,
        purchases.total_sales
    from months
    full outer join purchases
        on
            months.billing_period = purchases.billing_period
            and months.line_id = purchases.line_id
            and months.cost_center_id = purchases.cost_center_id
    where
        coalesce(months.effective_cost, 0) <> coalesce(purchases.billed_cost, 0)
        or coalesce(months.list_cost, 0) <> coalesce(purchases.list_cost, 0)
        or coalesce(months.effective_sales, 0) <> coalesce(purchases.total_sales, 0)

)

select * from validation_errors

{% endtest %}
