{#-
The identity of a landed charge, without its amount: two rows with the same key are the same charge,
before and after a restatement. `columns` are the values that name the charge in its format; the
sign of the money is part of the key, since one change can give a refund and a charge of one period.
-#}
{% macro charge_key(columns, exact_cost) -%}
    {{ surrogate_id(columns + ['coalesce(' ~ exact_cost ~ ' < 0, false)']) }}
{%- endmacro %}

{#- A text in a key, without regard to case. -#}
{% macro key_text(column) -%}
    {{ return('lower(' ~ given_id(column) ~ ')') }}
{%- endmacro %}

{#- A day in a key: as read, so that 2026-01-05 and 5 Jan 2026 are equal, else unchanged. -#}
{% macro key_day(parsed, landed) -%}
    {{ return('coalesce(cast(' ~ parsed ~ ' as string), ' ~ text_value(landed) ~ ')') }}
{%- endmacro %}
