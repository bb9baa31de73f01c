{#- The first days of all months from the month of one day to the month of another, one per row. -#}
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

{% macro spark__each_month(first_day, last_day) -%}
    explode(
        sequence(
            trunc({{ first_day }}, 'month'), trunc({{ last_day }}, 'month'), interval 1 month
        )
    )
{%- endmacro %}

{#- Number of days of a charge before the month. The charge extends into the month. -#}
{% macro days_before_month(charge_start_date, month) -%}
    {{ dbt.datediff(
        charge_start_date, 'greatest(' ~ month ~ ', ' ~ charge_start_date ~ ')', 'day'
    ) }}
{%- endmacro %}

{#- Number of days of a charge up to the end of the month. -#}
{% macro days_through_month(charge_start_date, charge_end_date, month) -%}
    {{ dbt.datediff(
        charge_start_date,
        'least(cast(' ~ dbt.dateadd('month', 1, month) ~ ' as date), '
        ~ 'cast(' ~ dbt.dateadd('day', 1, charge_end_date) ~ ' as date))',
        'day'
    ) }}
{%- endmacro %}
