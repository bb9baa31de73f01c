{#- One in the last of so many decimals: 0.01 for two. -#}
{% macro last_decimal(decimals) -%}
    cast(concat('1E-', {{ decimals }}) as decimal(28, 10))
{%- endmacro %}
