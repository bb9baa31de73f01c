{#- A charge in words, as broker reports print it. -#}
{% macro line_details(charge_type, start_day, end_day) -%}
    concat_ws(
        '',
        {{ charge_type }},
        '. From ', {{ day_in_words(start_day) }},
        ' to ', {{ day_in_words(end_day) }},
        ' (', {{ dbt.datediff(start_day, end_day, 'day') }} + 1,
        case when {{ end_day }} = {{ start_day }} then ' day)' else ' days)' end
    )
{%- endmacro %}

{#- A day as broker reports print it: 6 Jan 2026. -#}
{% macro day_in_words(day) -%}
    {{ return(adapter.dispatch('day_in_words')(day)) }}
{%- endmacro %}

{% macro duckdb__day_in_words(day) -%}
    strftime({{ day }}, '%-d %b %Y')
{%- endmacro %}

{% macro spark__day_in_words(day) -%}
    date_format({{ day }}, 'd MMM yyyy')
{%- endmacro %}
