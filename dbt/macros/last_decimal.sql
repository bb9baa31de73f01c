{#- One unit of the last decimal: 0.01 for two decimals. -#}
{% macro last_decimal(decimals) -%}
    cast(power(10, -{{ decimals }}) as decimal(28, 10))
{%- endmacro %}
