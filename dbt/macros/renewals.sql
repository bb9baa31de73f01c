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
The square of an amount, whose millionths are rounded, or the cents of one of 10^12 or more: a product
of decimals has 38 digits. Decimals, so that a sum does not depend on the order of the rows, and both
engines have the same digits: they turn a float into a decimal differently.
-#}
{% macro squared(amount) -%}
    {%- set is_small = 'abs(' ~ amount ~ ') < 1000000000000' -%}
    {%- set small = 'cast(case when ' ~ is_small ~ ' then ' ~ amount ~ ' end as decimal(19, 6))' -%}
    {%- set large = 'cast(' ~ amount ~ ' as decimal(19, 2))' -%}
    case
        when {{ is_small }} then cast({{ small }} * {{ small }} as decimal(36, 4))
        else cast({{ large }} * {{ large }} as decimal(36, 4))
    end
{%- endmacro %}

{#- The product of a squared cost and a weight below 1. Six decimals of the weight count for a cost
of 10^11 or more, eight for others. -#}
{% macro weighted(squared_cost, weight) -%}
    {%- set is_small = squared_cost ~ ' < 10000000000000000000000' -%}
    {%- set small = 'case when ' ~ is_small ~ ' then ' ~ squared_cost ~ ' end' -%}
    case
        when {{ is_small }}
            then
                cast(
                    cast({{ small }} as decimal(28, 4)) * cast({{ weight }} as decimal(10, 8))
                    as decimal(36, 4)
                )
        else
            cast(
                cast({{ squared_cost }} as decimal(32, 0)) * cast({{ weight }} as decimal(6, 6))
                as decimal(36, 4)
            )
    end
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
