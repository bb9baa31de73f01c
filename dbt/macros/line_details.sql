{#- A charge in words, as broker reports print it. -#}
{% macro line_details(charge_type, start_day, end_day) -%}
    {{ return(adapter.dispatch('line_details')(charge_type, start_day, end_day)) }}
{%- endmacro %}

{% macro duckdb__line_details(charge_type, start_day, end_day) -%}
    concat(
        {{ charge_type }},
        '. From ', strftime({{ start_day }}, '%-d %b %Y'),
        ' to ', strftime({{ end_day }}, '%-d %b %Y'),
        ' (', {{ end_day }} - {{ start_day }} + 1,
        case when {{ end_day }} = {{ start_day }} then ' day)' else ' days)' end
    )
{%- endmacro %}
