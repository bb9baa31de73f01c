{#- Fails with every row on which the condition is not true. -#}
{% test holds_on_every_row(model, condition) %}

with

validation_errors as (

    select * from {{ model }}
    where not coalesce({{ condition }}, false)

)

select * from validation_errors

{% endtest %}
