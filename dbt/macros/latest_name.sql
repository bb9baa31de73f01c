{#- Of the names that rows of several billing periods have, that of the latest. -#}
{% macro latest_name(name) -%}
    max_by({{ name }}, concat(billing_period, {{ name }}))
{%- endmacro %}
