{#- The first days of all months from that of one day to that of another, one row each. -#}
{% macro each_month(first_day, last_day) -%}
    {{ return(adapter.dispatch('each_month')(first_day, last_day)) }}
{%- endmacro %}

{% macro duckdb__each_month(first_day, last_day) -%}
    cast(
        unnest(
            generate_series(
                date_trunc('month', {{ first_day }}),
                date_trunc('month', {{ last_day }}),
                interval 1 month
            )
        ) as date
    )
{%- endmacro %}

{% macro default__each_month(first_day, last_day) -%}
    explode(
        sequence(
            trunc({{ first_day }}, 'month'), trunc({{ last_day }}, 'month'), interval 1 month
        )
    )
{%- endmacro %}
