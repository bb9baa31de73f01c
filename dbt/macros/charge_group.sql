{#- The kind of a row of the bill, for the comparison of two billing periods. -#}
{% macro charge_group() -%}
    case
        when charge_class = 'Correction' then 'correction'
        when charge_kind in ('extra', 'refund') then 'prorated'
        else charge_kind
    end
{%- endmacro %}

{#-
The length of a billing cycle: 1000 for each month if it is a whole number of months, else its days.
Months differ by up to three days, and have 1461 / 48 days on average.
-#}
{% macro cycle_length(start_date, end_date) -%}
    {%- set days = '(' ~ dbt.datediff(start_date, end_date, 'day') ~ ' + 1)' -%}
    {%- set months = 'cast(floor((' ~ days ~ ' * 48 + 730) / 1461) as integer)' -%}
    case
        when {{ months }} > 0 and abs({{ days }} * 48 - {{ months }} * 1461) <= 120
            then 1000 * {{ months }}
        else {{ days }}
    end
{%- endmacro %}
