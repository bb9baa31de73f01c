{#-
Three columns with the reason why a row is unusable, null for usable rows: rejected_column,
rejected_value, rejected_reason. `checks` are tuples of source column, SQL of its value, SQL that is
true for a failing row, and reason. The first failing check counts.
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
The last columns of every staging model: the result of failed_check, and the landed row as text if
it is unusable.
-#}
{% macro rejection() -%}
    rejected_column,
    rejected_value,
    rejected_reason,
    case
        when rejected_reason is not null then {{ row_as_json('landed_row') }}
    end as raw_row
{%- endmacro %}

{#- Checks, as arguments of failed_check. -#}
{% macro needs_text(column, value) -%}
    {{ return((column, value, text_value(value) ~ ' is null', 'is empty')) }}
{%- endmacro %}

{% macro needs_id(column, value) -%}
    {{ return((column, value, given_value(value) ~ ' is null', 'is empty')) }}
{%- endmacro %}

{#- The settings that these reasons name are those of docs/reading-files.md. -#}
{% macro not_a_number() -%}
    {{ return(
        'is not a number with a decimal point and no thousands separators or currency signs;'
        ~ ' correct it, or state decimals and thousands in apportion.toml'
    ) }}
{%- endmacro %}

{% macro not_a_date() -%}
    {{ return(
        'is not a date in an unambiguous format; write 2025-12-17 or 17 Dec 2025, or state'
        ~ ' date_order in apportion.toml'
    ) }}
{%- endmacro %}

{% macro needs_number(column, value, parsed) -%}
    {{ return((
        column,
        value,
        parsed ~ ' is null',
        not_a_number()
    )) }}
{%- endmacro %}

{#- The limits are far above any bill, and low enough that no sum or product overflows. -#}
{% macro not_too_large(column, value, parsed, limit) -%}
    {{ return((column, value, 'abs(' ~ parsed ~ ') >= ' ~ limit, 'is too large')) }}
{%- endmacro %}

{% macro number_if_given(column, value, parsed) -%}
    {{ return((
        column,
        value,
        parsed ~ ' is null and ' ~ given_value(value) ~ ' is not null',
        not_a_number()
    )) }}
{%- endmacro %}

{% macro needs_date(column, value, parsed) -%}
    {{ return((
        column,
        value,
        parsed ~ ' is null',
        not_a_date()
    )) }}
{%- endmacro %}

{% macro date_if_given(column, value, parsed) -%}
    {{ return((
        column,
        value,
        parsed ~ ' is null and ' ~ given_value(value) ~ ' is not null',
        not_a_date()
    )) }}
{%- endmacro %}
