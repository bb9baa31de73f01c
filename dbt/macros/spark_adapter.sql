{#- Replacements for macros of dbt-spark. -#}

{#- dbt-spark's own macro fails on a date that is null. -#}
{% macro spark__datediff(first_date, second_date, datepart) -%}
    {%- if datepart == 'day' -%}
        cast(datediff({{ second_date }}, {{ first_date }}) as bigint)
    {%- elif datepart == 'month' -%}
        cast(
            months_between(
                trunc({{ second_date }}, 'month'), trunc({{ first_date }}, 'month')
            ) as bigint
        )
    {%- else -%}
        {{ exceptions.raise_compiler_error('datediff counts days or months, not ' ~ datepart) }}
    {%- endif -%}
{%- endmacro %}

{#- So does its dateadd. -#}
{% macro spark__dateadd(datepart, interval, from_date_or_timestamp) -%}
    {%- if interval is number -%}
        ({{ from_date_or_timestamp }} + interval {{ interval }} {{ datepart }})
    {%- elif datepart == 'day' -%}
        ({{ from_date_or_timestamp }} + make_dt_interval(cast({{ interval }} as int)))
    {%- elif datepart == 'month' -%}
        ({{ from_date_or_timestamp }} + make_ym_interval(0, cast({{ interval }} as int)))
    {%- else -%}
        {{ exceptions.raise_compiler_error('dateadd cannot add a varying number of ' ~ datepart) }}
    {%- endif -%}
{%- endmacro %}

{#- dbt-spark's own macro takes the separator for a regular expression. -#}
{% macro spark__split_part(string_text, delimiter_text, part_number) -%}
    split_part({{ string_text }}, {{ delimiter_text }}, {{ part_number }})
{%- endmacro %}

{#- dbt-spark's own macro leaves backslashes, which a literal of Spark would take for an escape. -#}
{% macro spark__escape_single_quotes(expression) -%}
    {{ expression | replace('\\', '\\\\') | replace("'", "\\'") }}
{%- endmacro %}

{#- Parquet tables have no constraints; the data tests of the columns check the same. -#}
{% macro spark__persist_constraints(relation, model) -%}
{%- endmacro %}
