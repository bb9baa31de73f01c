{#- 1, 0 or -1 as a whole number: engines differ in the type of sign(). -#}
{% macro sign_of(number) -%}
    case when {{ number }} > 0 then 1 when {{ number }} < 0 then -1 else 0 end
{%- endmacro %}
