{#-
Every amount, price and quantity is below this limit; a landed row with a larger one is quarantined.
10^12 is far above any bill, and low enough that sums and products of accepted numbers fit the types
that hold them: a million such amounts fit DECIMAL(28, 10), and one in units of 10^-10 times a trillion
allocation units fits a 128-bit integer.
-#}
{% macro number_limit() -%}
    1000000000000
{%- endmacro %}
