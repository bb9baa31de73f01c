{#- Whether a relation's row is of the bill in `bills`; a bill may lack any of its four keys. -#}
{% macro same_bill(relation) -%}
    bills.provider is not distinct from {{ relation }}.provider
    and bills.invoice_number is not distinct from {{ relation }}.invoice_number
    and bills.report_date is not distinct from {{ relation }}.report_date
    and bills.currency is not distinct from {{ relation }}.currency
{%- endmacro %}
