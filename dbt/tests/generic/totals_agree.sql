{#- Fails where the model and another relation give different totals; no rows are a total of zero. -#}
{% test totals_agree(model, with, measures, by) %}

with

{% for name, relation in [('ours', model), ('theirs', with)] %}
{{ name }} as (

    select
        {{ by | join(', ') }},
        {%- for measure in measures %}
        sum({{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ relation }}
    group by {{ by | join(', ') }}

),
{% endfor %}

validation_errors as (

    select
        {%- for column in by %}
        coalesce(ours.{{ column }}, theirs.{{ column }}) as {{ column }},
        {%- endfor %}
        {%- for measure in measures %}
        ours.{{ measure }} as {{ measure }},
        theirs.{{ measure }} as {{ measure }}_expected{{ ',' if not loop.last }}
        {%- endfor %}
    from ours
    full outer join theirs
        on
            {%- for column in by %}
            ours.{{ column }} = theirs.{{ column }} {{ 'and' if not loop.last }}
            {%- endfor %}
    where
        {%- for measure in measures %}
        coalesce(ours.{{ measure }}, 0) <> coalesce(theirs.{{ measure }}, 0)
        {{ 'or' if not loop.last }}
        {%- endfor %}

)

select * from validation_errors

{% endtest %}
