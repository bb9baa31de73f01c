{#-
Fails with every row whose margin differs from sales less cost, or is not null without sales.
-#}
{% test margin_is_sales_less_cost(model) %}

with

validation_errors as (

    select * from {{ model }}
    where total_margin is distinct from total_sales - total_cost

)

select * from validation_errors

{% endtest %}
