{#-
Rounding to whole units so that the parts of a total sum to it (Hamilton's method). Every part is
truncated to a whole unit. The remaining units go to the largest remainders, ties in the given
order.
-#}

{#- A part, truncated to whole units. -#}
{% macro cut_units(amount, decimals) -%}
    floor({{ amount }} * {{ units_per_whole(decimals) }})
{%- endmacro %}

{#- The remainder of a part after truncation. -#}
{% macro cut_remainder(amount, decimals) -%}
    {{ amount }} * {{ units_per_whole(decimals) }} - {{ cut_units(amount, decimals) }}
{%- endmacro %}

{#-
The remainder in thousandths of a unit, to compare it with others. The parts of a line are rounded to
millionths: without this, that rounding instead of the given order would decide a tie.
-#}
{% macro rank_of_remainder(remainder) -%}
    round({{ remainder }}, 3)
{%- endmacro %}

{#- Number of units of the currency's last decimal in one currency unit: 100 for two decimals. -#}
{% macro units_per_whole(decimals) -%}
    cast(power(10, {{ decimals }}) as decimal(10, 0))
{%- endmacro %}

{#- Units, converted back to an amount. -#}
{% macro amount_of_units(units, decimals) -%}
    cast(cast({{ units }} as decimal(28, 0)) * {{ last_decimal(decimals) }} as decimal(28, 10))
{%- endmacro %}
