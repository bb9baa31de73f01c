{#-
FOCUS amounts keep all decimals that a provider prints, up to 18. They are null where they equal
total_cost, which is nearly everywhere, so that most rows need no arithmetic of 128 bits.
-#}

{#- Price x quantity, without rounding for usual numbers; null where it would overflow. -#}
{% macro exact_product(price, quantity) -%}
    case
        when abs({{ price }}) < 10000 and abs({{ quantity }}) < 1000000
            then
                cast(
                    cast({{ price }} as decimal(22, 18)) * cast({{ quantity }} as decimal(16, 10))
                    as decimal(38, 18)
                )
        when abs({{ price }}) < 1000000000 and abs({{ quantity }}) < 1000000000
            then
                cast(
                    cast({{ price }} as decimal(19, 10)) * cast({{ quantity }} as decimal(19, 10))
                    as decimal(38, 18)
                )
    end
{%- endmacro %}

{#-
The part of an exact amount for one row of int_split_shares. Like the parts of cost, it is rounded to
millionths; the last part that is not zero has the exact rest. `rounded` is the amount as a measure.
-#}
{% macro exact_part_for_share(amount, rounded, shares) -%}
    cast({{ part_for_share(rounded, shares) }} as decimal(38, 18))
    + {{ rest_of_last_part(amount ~ ' - ' ~ rounded, shares) }}
{%- endmacro %}

{#- What a measure leaves out of an amount falls to the last part. -#}
{% macro rest_of_last_part(rest, shares) -%}
    case
        when
            {{ shares }}.low_units < {{ shares }}.high_units
            and {{ shares }}.high_units = {{ shares }}.total_units
            then {{ rest }}
        else 0
    end
{%- endmacro %}

{#- The exact amounts of a row. -#}
{% macro exact_amounts() -%}
    {{ return(['billed_cost', 'effective_cost', 'list_cost', 'contracted_cost']) }}
{%- endmacro %}

{#- An exact amount that may be null for "equals total_cost". -#}
{% macro exact_or_cost(amount, total_cost='total_cost') -%}
    coalesce({{ amount }}, cast({{ total_cost }} as decimal(38, 18)))
{%- endmacro %}

{#- The sum of an exact amount over rows, null where it equals the sum of total_cost on all. -#}
{% macro exact_sum(amount, over='') -%}
    cast(
        sum(total_cost){{ over }} + sum({{ amount }} - total_cost){{ over }} as decimal(38, 18)
    )
{%- endmacro %}
