{#-
Fails if the units of a kind that are in no other unit do not sum to the whole, per group of `by`. A
kind of units that is missing fails, too. Rows of zero may be missing.
-#}
{% test units_sum_to_whole(model, whole, measure, by) %}

with

kinds as (

    select unit_kind
    from {{ ref('unit_members') }}
    group by unit_kind

),

wholes as (

    select
        kinds.unit_kind,
        {% for column in by %}
            whole.{{ column }},
        {% endfor %}
        sum(whole.{{ measure }}) as amount
    from {{ whole }} as whole
    cross join kinds
    group by kinds.unit_kind, whole.{{ by | join(', whole.') }}

),

units as (

    select
        unit_kind,
        {{ by | join(', ') }},
        sum({{ measure }}) as amount
    from {{ model }}
    where parent_unit_id is null
    group by unit_kind, {{ by | join(', ') }}

),

validation_errors as (

    select
        wholes.*,
        units.amount as amount_of_units
    from wholes
    full outer join units
        on
            wholes.unit_kind = units.unit_kind
            {% for column in by %}
                and wholes.{{ column }} is not distinct from units.{{ column }}
            {% endfor %}
    where coalesce(wholes.amount, 0) <> coalesce(units.amount, 0)

)

select * from validation_errors

{% endtest %}
