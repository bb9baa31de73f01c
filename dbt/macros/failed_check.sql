{#-
Three columns that say why a row cannot be used, null where it can: rejected_column,
rejected_value, rejected_reason. `checks` are (source column, SQL of its value, SQL that is true
where the row fails, reason); the first that fails counts.
-#}
{% macro failed_check(checks) -%}
    case
        {%- for column, value, fails, reason in checks %}
        when {{ fails }} then '{{ column }}'
        {%- endfor %}
    end as rejected_column,
    case
        {%- for column, value, fails, reason in checks %}
        when {{ fails }} then {{ value }}
        {%- endfor %}
    end as rejected_value,
    case
        {%- for column, value, fails, reason in checks %}
        when {{ fails }} then '{{ reason }}'
        {%- endfor %}
    end as rejected_reason
{%- endmacro %}

{#-
What failed_check said of a row, and the landed row as text where it cannot be used: the last columns
of every staging model.
-#}
{% macro rejection() -%}
    rejected_column,
    rejected_value,
    rejected_reason,
    case
        when rejected_reason is not null then {{ row_as_json('landed_row') }}
    end as raw_row
{%- endmacro %}

{#- Checks in the form failed_check takes. -#}
{% macro needs_text(column, value) -%}
    {{ return((column, value, text_value(value) ~ ' is null', 'is empty')) }}
{%- endmacro %}

{% macro needs_id(column, value) -%}
    {{ return((column, value, given_value(value) ~ ' is null', 'is empty')) }}
{%- endmacro %}

{% macro needs_number(column, value, parsed) -%}
    {{ return((
        column,
        value,
        parsed ~ ' is null',
        'is not a number (digits, one decimal point, no thousands separators or currency signs)'
    )) }}
{%- endmacro %}

{#- Far above any bill, and low enough that no sum or product of them overflows. -#}
{% macro not_too_large(column, value, parsed, limit) -%}
    {{ return((column, value, 'abs(' ~ parsed ~ ') >= ' ~ limit, 'is too large')) }}
{%- endmacro %}

{% macro number_if_given(column, value, parsed) -%}
    {{ return((
        column,
        value,
        parsed ~ ' is null and ' ~ given_value(value) ~ ' is not null',
        'is not a number (digits, one decimal point, no thousands separators or currency signs)'
    )) }}
{%- endmacro %}

{% macro needs_date(column, value, parsed) -%}
    {{ return((
        column,
        value,
        parsed ~ ' is null',
        'is not a date in an unambiguous format (write 2025-12-17 or 17 Dec 2025)'
    )) }}
{%- endmacro %}

{% macro date_if_given(column, value, parsed) -%}
    {{ return((
        column,
        value,
        parsed ~ ' is null and ' ~ given_value(value) ~ ' is not null',
        'is not a date in an unambiguous format (write 2025-12-17 or 17 Dec 2025)'
    )) }}
{%- endmacro %}
