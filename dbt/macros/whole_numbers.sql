{#- The type of the widest whole numbers, of 38 digits. -#}
{% macro wide_integer() -%}
    {{ return(adapter.dispatch('wide_integer')()) }}
{%- endmacro %}

{% macro duckdb__wide_integer() -%}
    hugeint
{%- endmacro %}

{% macro spark__wide_integer() -%}
    decimal(38, 0)
{%- endmacro %}

{#- The truncated quotient of two whole numbers of 64 bits. -#}
{% macro whole_quotient(numerator, denominator) -%}
    {{ return(adapter.dispatch('whole_quotient')(numerator, denominator)) }}
{%- endmacro %}

{% macro duckdb__whole_quotient(numerator, denominator) -%}
    (({{ numerator }}) // ({{ denominator }}))
{%- endmacro %}

{% macro spark__whole_quotient(numerator, denominator) -%}
    (({{ numerator }}) div ({{ denominator }}))
{%- endmacro %}

{#- The same of wide whole numbers, of which the denominator has at most 25 digits. -#}
{% macro wide_quotient(numerator, denominator) -%}
    {{ return(adapter.dispatch('wide_quotient')(numerator, denominator)) }}
{%- endmacro %}

{% macro duckdb__wide_quotient(numerator, denominator) -%}
    (({{ numerator }}) // ({{ denominator }}))
{%- endmacro %}

{#- `div` would cut the quotient to 64 bits. Without its remainder, the numerator divides exactly. -#}
{% macro spark__wide_quotient(numerator, denominator) -%}
    {%- set whole = 'cast(' ~ numerator ~ ' as decimal(38, 0))' -%}
    {%- set divisor = 'cast(' ~ denominator ~ ' as decimal(25, 0))' -%}
    cast(({{ whole }} - {{ whole }} % {{ divisor }}) / {{ divisor }} as decimal(38, 0))
{%- endmacro %}
