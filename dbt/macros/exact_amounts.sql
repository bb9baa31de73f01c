{#-
FOCUS amounts keep all decimals that a provider prints, up to 18. They are null where they equal
total_cost, which is nearly everywhere, so that most rows need no arithmetic of 128 bits.
-#}

{#-
Price x quantity, without rounding for usual numbers; null where it would overflow. A whole quantity
needs no cast to fewer decimals, which divides numbers of 128 bits.
-#}
{% macro exact_product(price, quantity) -%}
    case
        when
            abs({{ price }}) < 10000
            and abs(cast({{ quantity }} as double)) < 100000
            and cast({{ quantity }} as double) = round(cast({{ quantity }} as double))
            then
                cast(
                    cast({{ price }} as decimal(22, 18))
                    * cast(cast({{ quantity }} as double) as integer) as decimal(38, 18)
                )
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

{#-
Amount / quantity by division of whole numbers, so that its product with the quantity is the amount to
a billionth. `amount` is a measure that counts where `exact` is null. For small numbers, 64 bits and
ten decimals are enough, which takes a twentieth of the time. Null where the quantity is 0 and the
amount is not, or where the price would be a billion or more.
-#}
{% macro exact_quotient(exact, amount, quantity) -%}
    case
        when {{ quantity }} = 0 then case when {{ exact_or_cost(exact, amount) }} = 0 then 0 end
        when
            {{ exact }} is null
            and abs({{ amount }}) < 225000
            and cast({{ quantity }} as double) = round(cast({{ quantity }} as double))
            and abs(cast({{ quantity }} as double))
            <= 10 * greatest(abs(cast({{ amount }} as double)), 1)
            then
                case when ({{ amount }} < 0) <> ({{ quantity }} < 0) then -1 else 1 end
                * cast(
                    cast(
                        {{ whole_quotient(
                            '2 * ' ~ smallest_units('abs(' ~ amount ~ ')', 'bigint')
                            ~ ' + ' ~ _whole(quantity),
                            '2 * ' ~ _whole(quantity)
                        ) }} as decimal(18, 0)
                    ) * 0.0000000001 as decimal(38, 18)
                )
        else {{ _long_quotient(exact_or_cost(exact, amount), quantity) }}
    end
{%- endmacro %}

{% macro _whole(quantity) -%}
    cast(abs(cast({{ quantity }} as double)) as bigint)
{%- endmacro %}

{#- Truncated to 18 decimals. -#}
{% macro _long_quotient(amount, quantity) -%}
    case
        when
            abs(cast({{ amount }} as double)) < abs(cast({{ quantity }} as double)) * 1000000000
            then
                {{ sign_of(amount) }} * {{ sign_of(quantity) }}
                * {{ _of_smallest_decimals(_long_division(
                    _digits('abs(' ~ amount ~ ')'),
                    'cast(abs(' ~ quantity ~ ') * 10000000000 as ' ~ wide_integer() ~ ')'
                )) }}
    end
{%- endmacro %}

{#- A decimal(38, 18) in units of its last decimal. -#}
{% macro _digits(amount) -%}
    cast(replace(cast({{ amount }} as string), '.', '') as {{ wide_integer() }})
{%- endmacro %}

{% macro _long_division(units, divisor) -%}
    (
        {{ wide_quotient(units, divisor) }} * 10000000000
        + {{ wide_quotient('(' ~ units ~ ' % ' ~ divisor ~ ') * 10000000000', divisor) }}
    )
{%- endmacro %}

{#- Units of the 18th decimal as a decimal(38, 18). -#}
{% macro _of_smallest_decimals(units) -%}
    cast(
        cast({{ wide_quotient(units, '1000000000') }} as decimal(29, 0)) * 0.000000001
        + cast({{ units }} % 1000000000 as decimal(9, 0)) * 0.000000000000000001
        as decimal(38, 18)
    )
{%- endmacro %}

{#-
The unit price of a charge: as billed if its product with the quantity is the cost of the row, else
the cost of the row per unit. Parts can be rounded, charges are for a part of a cycle or cut to cents.
A whole charge keeps the price of its FOCUS bill.
-#}
{% macro unit_price_of(unit_price, cost) -%}
    case
        when charge_category not in ('Usage', 'Purchase') then null
        -- Floats only compare here, with less than the billionth that FOCUS tools allow.
        when
            abs(
                cast({{ unit_price }} as double) * cast(pricing_quantity as double)
                - cast(coalesce({{ cost }}, total_cost) as double)
            ) <= 0.0000000001 * greatest(abs(cast(total_cost as double)), 1)
            then {{ unit_price }}
        when
            source_format = 'focus_cost_and_usage'
            and share = 1
            and corrects_line_id is null
            and {{ unit_price }} is not null
            then {{ unit_price }}
        else {{ exact_quotient(cost, 'total_cost', 'pricing_quantity') }}
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
{% macro exact_sum(amount) -%}
    cast(
        sum(total_cost) + sum({{ amount }} - total_cost) as decimal(38, 18)
    )
{%- endmacro %}
