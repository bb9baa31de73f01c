{#-
Rounding to whole units so that the parts of a total sum to it (Hamilton's method): every part is cut
down to a whole unit, and the units that are left go to the largest remainders, ties in the order
given.
-#}

{#- A part in whole units, cut down. -#}
{% macro cut_units(amount, decimals) -%}
    floor({{ amount }} * {{ units_per_whole(decimals) }})
{%- endmacro %}

{#- What cutting takes from a part. -#}
{% macro cut_remainder(amount, decimals) -%}
    {{ amount }} * {{ units_per_whole(decimals) }} - {{ cut_units(amount, decimals) }}
{%- endmacro %}

{#- How many units of the currency's last decimal a whole has: 100 for two decimals. -#}
{% macro units_per_whole(decimals) -%}
    cast(concat('1E', {{ decimals }}) as decimal(10, 0))
{%- endmacro %}

{#- Units as an amount again. -#}
{% macro amount_of_units(units, decimals) -%}
    cast(cast({{ units }} as decimal(28, 0)) * {{ last_decimal(decimals) }} as decimal(28, 10))
{%- endmacro %}
