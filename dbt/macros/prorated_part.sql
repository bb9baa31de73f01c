{#-
The part of an amount for one cost center of a split, as decimal(28, 10).

Cumulative rounding: the part is the rounded cumulative amount including this cost center, less the
rounded cumulative amount before it. Amounts are rounded to whole millionths, halves up, on the
absolute value, so that a refund mirrors its charge. The parts of one amount sum to it by
construction, and none differs from its exact value by a millionth or more. The last part ends at
the amount itself and receives the exact remainder.

`low`, `high` and `total` are whole allocation units, computed once per snapshot row. The narrow
path uses 64-bit arithmetic, which is about fifty times faster than the wide path. `narrow_limit` is
the amount up to which it cannot overflow.
-#}
{% macro prorated_part(amount, low, high, total, narrow_limit) -%}
    cast(
        case
            when {{ amount }} is null then null
            when {{ low }} = {{ high }} then 0
            when abs({{ amount }}) <= {{ narrow_limit }}
                then {{ _prorated(amount, low, high, total, 'bigint') }}
            else {{ _prorated(amount, low, high, total, wide_integer()) }}
        end as decimal(28, 10)
    )
{%- endmacro %}

{#- The part of an amount that falls to one row of int_split_shares. -#}
{% macro part_for_share(amount, shares) -%}
    {{ prorated_part(
        amount,
        shares ~ '.low_units',
        shares ~ '.high_units',
        shares ~ '.total_units',
        shares ~ '.narrow_limit'
    ) }}
{%- endmacro %}

{% macro _prorated(amount, low, high, total, integer_type) -%}
    case when {{ amount }} < 0 then -1 else 1 end
    * (
        case
            when {{ high }} = {{ total }} then abs({{ amount }})
            else {{ _rounded(amount, high, total, integer_type) }}
        end
        - {{ _rounded(amount, low, total, integer_type) }}
    )
{%- endmacro %}

{#- |amount| x units / total in whole millionths, halves up. -#}
{% macro _rounded(amount, units, total, integer_type) -%}
    cast(
        {{ _quotient(
            '2 * ' ~ smallest_units('abs(' ~ amount ~ ')', integer_type) ~ ' * ' ~ units
            ~ ' + 10000 * ' ~ total,
            '20000 * ' ~ total,
            integer_type
        ) }} as decimal(22, 0)
    ) * 0.000001
{%- endmacro %}

{#- The part without rounding to millionths (to 10 decimals), to show the effect of rounding. -#}
{% macro unrounded_part(amount, low, high, total, narrow_limit) -%}
    case when {{ amount }} < 0 then -1 else 1 end
    * case
        when abs({{ amount }}) <= {{ narrow_limit }}
            then {{ _unrounded(amount, low, high, total, 'bigint') }}
        else {{ _unrounded(amount, low, high, total, wide_integer()) }}
    end
{%- endmacro %}

{% macro _unrounded(amount, low, high, total, integer_type) -%}
    cast(
        {{ _quotient(
            '2 * ' ~ smallest_units('abs(' ~ amount ~ ')', integer_type)
            ~ ' * (' ~ high ~ ' - ' ~ low ~ ') + ' ~ total,
            '2 * ' ~ total,
            integer_type
        ) }} as decimal(28, 0)
    ) * 0.0000000001
{%- endmacro %}

{% macro _quotient(numerator, denominator, integer_type) -%}
    {%- if integer_type == 'bigint' -%}
        {{ whole_quotient(numerator, denominator) }}
    {%- else -%}
        {{ wide_quotient(numerator, denominator) }}
    {%- endif -%}
{%- endmacro %}

{#-
An amount in whole units of its tenth decimal. The cast of a product divides numbers of 128 bits,
which takes twenty times as long as the product of floats. Below 225,179.9813685248 (2^51 units) the
two roundings of the float differ by less than half a unit from the whole number that it stands for.
-#}
{% macro smallest_units(amount, integer_type) -%}
    case
        when abs({{ amount }}) < 225000
            then
                cast(
                    cast(round(cast({{ amount }} as double) * 10000000000) as bigint)
                    as {{ integer_type }}
                )
        else cast({{ amount }} * 10000000000 as {{ integer_type }})
    end
{%- endmacro %}

{#-
The amount up to which prorated_part can use 64-bit arithmetic for a split of this many units.
-#}
{% macro narrow_limit(total) -%}
    cast(
        greatest(
            {{ whole_quotient('9223372036854775807', '2 * greatest(' ~ total ~ ', 1)') }} - 5001,
            0
        ) as decimal(20, 0)
    ) * 0.0000000001
{%- endmacro %}

{#- Units / total, rounded half up to 10 decimals; differences of these sum to 1 exactly. -#}
{% macro cumulative_share(units, total) -%}
    cast(
        {{ wide_quotient(
            '20000000000 * cast(' ~ units ~ ' as ' ~ wide_integer() ~ ') + ' ~ total, '2 * ' ~ total
        ) }} as decimal(18, 0)
    ) * 0.0000000001
{%- endmacro %}

{#-
The basis of a share in whole units of 10^-10, or of hundredths if the total is so large that
products of smaller units would overflow.
-#}
{% macro basis_units(basis, total) -%}
    case
        when {{ total }} < 1000000000000
            then cast({{ basis }} * 10000000000 as {{ wide_integer() }})
        else cast({{ basis }} * 100 as {{ wide_integer() }})
    end
{%- endmacro %}

{#- The id of the split that allocates everything to an organization's Default. -#}
{% macro default_split_id(organization_id) -%}
    concat_ws('', 'default:', {{ organization_id }})
{%- endmacro %}

{#- The id of the split that allocates everything to one cost center. -#}
{% macro cost_center_split_id(organization_id, cost_center_id) -%}
    concat_ws('', 'cost center:', {{ organization_id }}, ':', {{ cost_center_id }})
{%- endmacro %}
