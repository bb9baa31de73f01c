{#- The number of months after which a charge without a known term renews. -#}
{% macro renewal_months(charge_start_date, charge_end_date) -%}
    greatest(
        round(({{ dbt.datediff(charge_start_date, charge_end_date, 'day') }} + 1) / 30.4), 1
    )
{%- endmacro %}

{#- The renewals of two years, which are presumed beside those of the organization. -#}
{% macro presumed_renewals(renewal_months) -%}
    greatest(24.0 / {{ renewal_months }}, 2.0)
{%- endmacro %}

{#- The likelihood that a charge is still made after so many renewals. -#}
{% macro likelihood_after(renewal_rate, renewal_count) -%}
    cast(
        power(cast({{ renewal_rate }} as double), cast({{ renewal_count }} as double))
        as decimal(18, 10)
    )
{%- endmacro %}
