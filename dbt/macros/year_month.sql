{#- The month of a day as text: 2026-01. -#}
{% macro year_month(day) -%}
    substr(cast({{ day }} as string), 1, 7)
{%- endmacro %}

{#- The end of every range that is still open. -#}
{% macro far_future() -%}
    timestamp '9999-12-31 00:00:00'
{%- endmacro %}

{#- The first day of a billing period, as a date. -#}
{% macro period_start(billing_period) -%}
    cast(concat_ws('', {{ billing_period }}, '-01') as date)
{%- endmacro %}
