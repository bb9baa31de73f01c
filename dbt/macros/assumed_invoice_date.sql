{#- The assumed invoice day in the month after a given day. -#}
{% macro assumed_invoice_date(day) -%}
    cast(
        date_trunc('month', {{ day }}) + interval 1 month
        + interval {{ var('assumed_invoice_day') }} day - interval 1 day as date
    )
{%- endmacro %}
