{#- All days from one to another, one per row. -#}
{% macro each_day(first_day, last_day) -%}
    {{ return(adapter.dispatch('each_day')(first_day, last_day)) }}
{%- endmacro %}

{% macro duckdb__each_day(first_day, last_day) -%}
    cast(
        unnest(
            generate_series(
                cast({{ first_day }} as timestamp), cast({{ last_day }} as timestamp), interval 1 day
            )
        ) as date
    )
{%- endmacro %}

{% macro spark__each_day(first_day, last_day) -%}
    explode(sequence({{ first_day }}, {{ last_day }}, interval 1 day))
{%- endmacro %}
