{#-
A landed day, or null where the text is none: ISO dates and instants (their UTC day), and dates
with the month in letters (6 Jan 2026, 06-Jan-26). Dates like 06/01/2026 are not guessed at.
-#}
{% macro date_value(column) -%}
    case
        when {{ _date_of_any_time(column) }} between date '1990-01-01' and date '2199-12-31'
            then {{ _date_of_any_time(column) }}
    end
{%- endmacro %}

{#- No bill and no split is of another time: a year outside these is a slip of the pen. -#}
{% macro _date_of_any_time(column) -%}
    coalesce(
        cast({{ timestamp_value(column) }} as date), {{ date_with_month_name(column) }}
    )
{%- endmacro %}

{#- A landed instant or day as a UTC timestamp; a day is its first instant. -#}
{% macro instant_value(column) -%}
    case
        when {{ date_value(column) }} is not null
            then
                coalesce(
                    {{ timestamp_value(column) }},
                    cast({{ date_with_month_name(column) }} as timestamp)
                )
    end
{%- endmacro %}

{% macro date_with_month_name(column) -%}
    {{ return(adapter.dispatch('date_with_month_name')(column)) }}
{%- endmacro %}

{#- The short year stands first: %Y would read 26 as the year 26. -#}
{% macro duckdb__date_with_month_name(column) -%}
    cast(
        try_strptime(
            trim({{ column }}),
            ['%d-%b-%y', '%d %b %y', '%d %b %Y', '%d-%b-%Y', '%d %B %Y', '%b %d, %Y', '%B %d, %Y']
        ) as date
    )
{%- endmacro %}

{#-
A landed instant as a UTC timestamp, or null where the text is none: ISO 8601, with or without
offset; without one it is UTC, a bare date its first instant.
-#}
{% macro timestamp_value(column) -%}
    case
        -- Year first, then a dash: words that a cast would take for dates are none here.
        when substr(trim({{ column }}), 5, 1) <> '-' or {{ column }} like '%(%' then null
        when {{ has_offset(column) }} then {{ timestamp_with_offset('trim(' ~ column ~ ')') }}
        else try_cast(trim({{ column }}) as timestamp)
    end
{%- endmacro %}

{#- Whether the time of day is followed by an offset other than Z. -#}
{% macro has_offset(column) -%}
    substr(trim({{ column }}), 17) like '%+%' or substr(trim({{ column }}), 17) like '%-%'
{%- endmacro %}

{% macro timestamp_with_offset(text) -%}
    {{ return(adapter.dispatch('timestamp_with_offset')(text)) }}
{%- endmacro %}

{#- A cast to timestamp would drop the offset, and a cast by way of the session's zone would
depend on the machine; the microseconds since 1970 do neither. -#}
{% macro duckdb__timestamp_with_offset(text) -%}
    case
        when {{ _offset_in_seconds(text) }} between -50400 and 50400
            then make_timestamp(epoch_us(try_cast({{ text }} as timestamptz)))
    end
{%- endmacro %}

{#- By how much the offset moves the instant: no zone is more than 14 hours from UTC. -#}
{% macro _offset_in_seconds(text) -%}
    (
        epoch_us(try_cast(substr({{ text }}, 1, 19) as timestamp))
        - epoch_us(try_cast({{ text }} as timestamptz))
    ) / 1000000
{%- endmacro %}
