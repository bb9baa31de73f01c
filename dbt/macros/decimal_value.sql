{#-
A landed value as decimal(38, 18), or null if it is not a number.

Spreadsheet guards (a leading apostrophe) are removed, and exponents are read (`0E-20` is zero).
Thousands separators, decimal commas, currency signs and parentheses are not accepted.
-#}
{% macro decimal_value(column) -%}
    {{ return(adapter.dispatch('decimal_value')(column)) }}
{%- endmacro %}

{#-
DuckDB's cast accepts digits, a point, an exponent and underscores. Underscores are excluded here.

The cast to a decimal of more than 18 digits is a hundred times slower than to one of 18. Numbers
that fit into 18 digits, which are nearly all, are cast to that first. Results are equal.
-#}
{% macro duckdb__decimal_value(column) -%}
    case
        when regexp_full_match({{ column }}, '-?[0-9]{1,8}([.][0-9]{1,10})?')
            then cast(cast({{ column }} as decimal(18, 10)) as decimal(38, 18))
        when regexp_full_match({{ column }}, '-?[0-9]{1,14}([.][0-9]{1,4})?')
            then cast(cast({{ column }} as decimal(18, 4)) as decimal(38, 18))
        when position('_' in {{ column }}) = 0
            then try_cast(trim(leading '''' from trim({{ column }})) as decimal(38, 18))
    end
{%- endmacro %}

{% macro spark__decimal_value(column) -%}
    {%- set text = 'trim(leading chr(39) from trim(' ~ column ~ '))' -%}
    case when {{ text }} rlike '^[-+.0-9eE]+$' then try_cast({{ text }} as decimal(38, 18)) end
{%- endmacro %}

{#-
A decimal(38, 18) rounded half to even to decimal(28, 10), the type of measures.

The cast rounds halves away from zero. If the value was exactly halfway and the cast made the last
digit odd, one unit is subtracted again.
-#}
{% macro measure(exact) -%}
    cast(
        try_cast({{ exact }} as decimal(28, 10))
        - case
            when
                abs(try_cast({{ exact }} as decimal(28, 10)) - {{ exact }}) = 0.00000000005
                and try_cast({{ exact }} as decimal(28, 10)) % 0.0000000002 <> 0
                then {{ sign_of(exact) }} * 0.0000000001
            else 0
        end as decimal(28, 10)
    )
{%- endmacro %}

{#- An estimate, rounded to an amount. -#}
{% macro whole_millionths(number) -%}
    cast(cast({{ number }} as decimal(22, 6)) as decimal(28, 10))
{%- endmacro %}
