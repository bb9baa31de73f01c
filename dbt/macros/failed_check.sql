{#-
The first check that a row fails, null for usable rows, as one value: one expression per row, not one
for each of column, value and reason, halves the time to plan a staging model. `checks` are tuples of
source column, SQL of its value, SQL that is true for a failing row, and reason: text, or {'sql': SQL}
where it depends on the row. The comments are where an inspection divides the expression: it shows
every check that a row fails (dagster_project/inspection/every_fault.py).
-#}
{% macro failed_check(checks) -%}
    /* checks */ case
        {%- for column, value, fails, reason in checks %}
        /* check */ when {{ fails }}
            then {{ named_values({
                'column_name': "'" ~ column ~ "'",
                'value': value,
                'reason': reason.sql if reason is mapping else "'" ~ reason ~ "'",
            }) }}
        {%- endfor %}
    end /* checks end */ as failed_check
{%- endmacro %}

{#- Several values under names, as one value. -#}
{% macro named_values(values) -%}
    {{ return(adapter.dispatch('named_values')(values)) }}
{%- endmacro %}

{% macro duckdb__named_values(values) -%}
    struct_pack({% for name, value in values.items() -%}
        {{ name }} := {{ value }}{{ ', ' if not loop.last }}
    {%- endfor %})
{%- endmacro %}

{% macro spark__named_values(values) -%}
    named_struct({% for name, value in values.items() -%}
        '{{ name }}', {{ value }}{{ ', ' if not loop.last }}
    {%- endfor %})
{%- endmacro %}

{#-
The last columns of every staging model: the result of failed_check, and the landed row as text if
it is unusable.
-#}
{% macro rejection() -%}
    failed_check.column_name as rejected_column,
    failed_check.value as rejected_value,
    failed_check.reason as rejected_reason,
    case
        when failed_check.reason is not null then {{ row_as_json('landed_row') }}
    end as raw_row
{%- endmacro %}

{#- Checks, as arguments of failed_check. -#}
{% macro needs_text(column, value) -%}
    {{ return((column, value, text_value(value) ~ ' is null', 'is empty')) }}
{%- endmacro %}

{% macro needs_id(column, value) -%}
    {{ return((column, value, given_id(value) ~ ' is null', 'is empty')) }}
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

{#- An empty value needs no advice on its form. -#}
{% macro empty_or(value, reason) -%}
    {{ return({
        'sql': 'case when ' ~ given_value(value) ~ " is null then 'is empty' else '" ~ reason ~ "' end"
    }) }}
{%- endmacro %}

{% macro needs_number(column, value, parsed) -%}
    {{ return((
        column,
        value,
        parsed ~ ' is null',
        empty_or(value, not_a_number())
    )) }}
{%- endmacro %}

{#- A column with a limit of its own is narrower or wider than amounts, prices and quantities. -#}
{% macro not_too_large(column, value, parsed, limit=none) -%}
    {{ return((column, value, 'abs(' ~ parsed ~ ') >= ' ~ (limit or number_limit()), 'is too large')) }}
{%- endmacro %}

{#- The checks of optional amounts: each a tuple of column, value and parsed value. -#}
{% macro amounts_if_given(amounts) -%}
    {%- set checks = [] -%}
    {%- for column, value, parsed in amounts -%}
        {%- do checks.append(number_if_given(column, value, parsed)) -%}
        {%- do checks.append(not_too_large(column, value, parsed)) -%}
    {%- endfor -%}
    {{ return(checks) }}
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
        empty_or(value, not_a_date())
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
