{#- First day of the fiscal year of a month; `first_month` is from 1 to 12. -#}
{% macro fiscal_year_start(month, first_month) -%}
    cast(
        {{ dbt.dateadd('month', first_month ~ ' - 1', dbt.date_trunc(
            'year', dbt.dateadd('month', '1 - ' ~ first_month, month)
        )) }} as date
    )
{%- endmacro %}
