{#-
Products and quotients of decimals, exact until they are rounded to 10 decimals (halves away from
zero). They are computed in whole units of the tenth decimal, because DuckDB divides decimals as
floats. Null if a factor is too large, which is far above any bill.
-#}
{% macro with_percent(amount, percent) -%}
    case
        when abs({{ amount }}) < 1000000000000
            then
                {{ _rounded_quotient(
                    _units(amount) ~ ' * ' ~ _units('(100 + ' ~ percent ~ ')'),
                    'cast(1000000000000 as ' ~ wide_integer() ~ ')'
                ) }}
    end
{%- endmacro %}

{#- A price or an amount converted to another currency. -#}
{% macro in_other_currency(amount, multiplier, divisor) -%}
    case
        when
            abs(cast({{ amount }} as double)) < 1000000000000000
            and abs(cast({{ amount }} as double)) * cast({{ multiplier }} as double)
            < 1000000000000000 * least(cast(1 as double), cast({{ divisor }} as double))
            then
                {{ _rounded_quotient(
                    _units(amount) ~ ' * ' ~ _units(multiplier),
                    _units(divisor)
                ) }}
    end
{%- endmacro %}

{#- Price x days / days of the cycle x quantity. -#}
{% macro prorated_price(price, quantity, days, cycle_days) -%}
    case
        when cast({{ price }} as double) * cast({{ quantity }} as double) < 1000000000000
            then
                {{ _rounded_quotient(
                    _units(price) ~ ' * ' ~ _units(quantity) ~ ' * ' ~ days,
                    'cast(10000000000 as ' ~ wide_integer() ~ ') * ' ~ cycle_days
                ) }}
    end
{%- endmacro %}

{% macro _units(amount) -%}
    {{ smallest_units(amount, wide_integer()) }}
{%- endmacro %}

{#- The result is in units of the tenth decimal again. -#}
{% macro _rounded_quotient(numerator, denominator) -%}
    cast(
        case when {{ numerator }} < 0 then -1 else 1 end
        * {{ wide_quotient(
            '2 * abs(' ~ numerator ~ ') + ' ~ denominator, '2 * (' ~ denominator ~ ')'
        ) }} as decimal(28, 0)
    ) * 0.0000000001
{%- endmacro %}

{#- The cost of a part of the licenses, given the cost of all of them. -#}
{% macro part_of_cost(cost, quantity, of_quantity) -%}
    case
        when {{ of_quantity }} > 0
            then
                {{ _rounded_quotient(
                    _units(cost) ~ ' * ' ~ _units(quantity),
                    _units(of_quantity)
                ) }}
    end
{%- endmacro %}

{#- The cost of so many licenses for one cycle, by cycle_cost and cycle_quantity. -#}
{% macro cost_of_licenses(quantity) -%}
    cast(
        case
            when {{ quantity }} = 0 then 0
            else {{ part_of_cost('cycle_cost', quantity, 'cycle_quantity') }}
        end as decimal(28, 10)
    )
{%- endmacro %}

{#- An amount per unit; null without a quantity. Both may be negative. -#}
{% macro amount_per_unit(amount, quantity) -%}
    case
        when
            abs(cast({{ amount }} as double)) < abs(cast({{ quantity }} as double)) * 900000000000000000
            then
                {{ _rounded_quotient(
                    sign_of(quantity) ~ ' * ' ~ _units(amount)
                    ~ ' * cast(10000000000 as ' ~ wide_integer() ~ ')',
                    _units('abs(' ~ quantity ~ ')')
                ) }}
    end
{%- endmacro %}
