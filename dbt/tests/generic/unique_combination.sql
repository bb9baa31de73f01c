{#- Fails with every combination of values in more than one row. Nulls count as values. -#}
{% test unique_combination(model, columns) %}

with

validation_errors as (

    select
        {{ columns | join(', ') }},
        count(*) as row_count
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1

)

select * from validation_errors

{% endtest %}
