{#-
Fails if the totals of the model and another relation differ. No rows count as a total of zero.
`their_measures` are the names of the measures in the other relation, if they differ.
-#}
{% test totals_agree(model, with, measures, by, their_measures=none) %}

with

{% for name, relation, named in [
    ('ours', model, measures), ('theirs', with, their_measures or measures)
] %}
{{ name }} as (

    select
        {{ by | join(', ') }},
        {%- for measure in measures %}
        sum({{ named[loop.index0] }}) as {{ measure }}{{ ',' if not loop.last }}
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
