{#-
Fails with every whole whose parts do not sum to it exactly, that has no parts, or whose parts
have no whole. `model` holds the parts, `whole` the wholes.
-#}
{% test parts_sum_to_whole(model, whole, key, measures) %}

with

parts as (

    select
        {{ key }} as whole_key,
        {%- for measure in measures %}
        sum({{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ model }}
    group by {{ key }}

),

validation_errors as (

    select
        coalesce(wholes.{{ key }}, parts.whole_key) as {{ key }},
        wholes.{{ key }} is null as is_whole_missing,
        parts.whole_key is null as are_parts_missing,
        {%- for measure in measures %}
        wholes.{{ measure }} as {{ measure }}_of_whole,
        parts.{{ measure }} as {{ measure }}_of_parts{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ whole }} as wholes
    full outer join parts on wholes.{{ key }} = parts.whole_key
    where
        wholes.{{ key }} is null
        or parts.whole_key is null
        {%- for measure in measures %}
        or wholes.{{ measure }} is distinct from parts.{{ measure }}
        {%- endfor %}

)

select * from validation_errors

{% endtest %}
