{#- A text as a JSON string, including the quotes. -#}
{% macro json_string(text) -%}
    {{ return(adapter.dispatch('json_string')(text)) }}
{%- endmacro %}

{% macro duckdb__json_string(text) -%}
    cast(to_json({{ text }}) as varchar)
{%- endmacro %}

{#- {"v":"text"} without the parts around the text. -#}
{% macro default__json_string(text) -%}
    case
        when {{ text }} is not null
            then
                substr(
                    to_json(named_struct('v', {{ text }})),
                    6,
                    length(to_json(named_struct('v', {{ text }}))) - 6
                )
    end
{%- endmacro %}

{#- A text if it is a JSON object, else null. FOCUS allows tags in this form only. -#}
{% macro json_object_or_null(text) -%}
    {{ return(adapter.dispatch('json_object_or_null')(text)) }}
{%- endmacro %}

{% macro duckdb__json_object_or_null(text) -%}
    case
        when json_valid({{ text }})
            then case when json_type({{ text }}) = 'OBJECT' then {{ text }} end
    end
{%- endmacro %}

{% macro default__json_object_or_null(text) -%}
    case when json_object_keys({{ text }}) is not null then {{ text }} end
{%- endmacro %}

{#- The first instant of a day, or of the day after it, because ends are exclusive in FOCUS. -#}
{% macro start_of_day(day) -%}
    cast({{ day }} as timestamp)
{%- endmacro %}

{#- The first instant of the month of a day, and that of the month after it. -#}
{% macro month_of(day) -%}
    cast({{ dbt.date_trunc('month', day) }} as timestamp)
{%- endmacro %}

{% macro start_of_next_month(day) -%}
    cast({{ dbt.dateadd('month', 1, dbt.date_trunc('month', day)) }} as timestamp)
{%- endmacro %}

{% macro start_of_next_day(day) -%}
    cast({{ dbt.dateadd('day', 1, day) }} as timestamp)
{%- endmacro %}
