{#- A name without case, spaces and punctuation: `Cycle fee` and `cycleFee` are equal. -#}
{% macro match_key(column) -%}
    {{ return(adapter.dispatch('match_key')(column)) }}
{%- endmacro %}

{% macro duckdb__match_key(column) -%}
    regexp_replace(lower({{ column }}), '[^a-z0-9]', '', 'g')
{%- endmacro %}

{% macro spark__match_key(column) -%}
    regexp_replace(lower({{ column }}), '[^a-z0-9]', '')
{%- endmacro %}
