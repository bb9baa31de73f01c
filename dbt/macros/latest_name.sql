{#- The name in the latest billing period of the aggregated rows. -#}
{% macro latest_name(name) -%}
    max_by({{ name }}, concat_ws('', billing_period, {{ name }}))
{%- endmacro %}
