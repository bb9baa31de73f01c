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

{#-
The square of an amount, whose millionths are rounded. Decimals, so that a sum does not depend on the
order of the rows, and both engines have the same digits: they turn a float into a decimal differently.
-#}
{% macro squared(amount) -%}
    cast(
        cast({{ amount }} as decimal(19, 6)) * cast({{ amount }} as decimal(19, 6))
        as decimal(36, 4)
    )
{%- endmacro %}

{#-
The part of a squared cost that is the variance of some of its days, with eight decimals: the square
of the part of the days, times likelihood x (1 - likelihood). Units of 10^-10 become units of 10^-8.
-#}
{% macro weight_of_variance(days, total_days, likelihood) -%}
    {%- set spread = likelihood ~ ' * (1 - ' ~ likelihood ~ ')' -%}
    {%- set units = 'cast(cast(' ~ spread ~ ' as decimal(18, 10)) * 10000000000 as bigint)' -%}
    cast(
        {{ whole_quotient(
            days ~ ' * ' ~ days ~ ' * ' ~ units, '100 * ' ~ total_days ~ ' * ' ~ total_days
        ) }} as decimal(9, 0)
    ) * 0.00000001
{%- endmacro %}
