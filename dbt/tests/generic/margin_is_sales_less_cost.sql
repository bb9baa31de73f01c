{#- Fails with every row whose margin is not its sales less its cost, or null without sales. -#}
{% test margin_is_sales_less_cost(model) %}

with

validation_errors as (

    select * from {{ model }}
    where total_margin is distinct from total_sales - total_cost

)

select * from validation_errors

{% endtest %}
