{#- The last value of a window that is not null. -#}
{% macro last_known(value) -%}
    {{ return(adapter.dispatch('last_known')(value)) }}
{%- endmacro %}

{% macro duckdb__last_known(value) -%}
    last_value({{ value }} ignore nulls)
{%- endmacro %}

{% macro spark__last_known(value) -%}
    last_value({{ value }}) ignore nulls
{%- endmacro %}
