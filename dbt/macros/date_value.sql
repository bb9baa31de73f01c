{#-
A landed day, or null where the text is none: ISO 8601 dates and instants (their UTC day), and
dates with the month in letters (6 Jan 2026, 06-Jan-26). Dates like 06/01/2026 are not guessed at.
-#}
{% macro date_value(column) -%}
    {{ computed_once('day', _date_of_any_time(column), in_bill_years('day')) }}
{%- endmacro %}

{% macro _date_of_any_time(column) -%}
    coalesce(
        cast({{ timestamp_value(column) }} as date), {{ date_with_month_name(column) }}
    )
{%- endmacro %}

{#- A landed instant or date as a UTC timestamp. A date becomes its first instant. -#}
{% macro instant_value(column) -%}
    {%- set instant -%}
        coalesce(
            {{ timestamp_value(column) }},
            cast({{ date_with_month_name(column) }} as timestamp)
        )
    {%- endset -%}
    {{ computed_once('instant', instant, in_bill_years('instant')) }}
{%- endmacro %}

{#- Years outside this range are typing errors: no bill and no split has them. -#}
{% macro in_bill_years(value) -%}
    case
        when cast({{ value }} as date) between date '1990-01-01' and date '2199-12-31'
            then {{ value }}
    end
{%- endmacro %}

{% macro date_with_month_name(column) -%}
    {{ return(adapter.dispatch('date_with_month_name')(column)) }}
{%- endmacro %}

{#- The two-digit year comes first, because %Y would read 26 as the year 26. -#}
{% macro duckdb__date_with_month_name(column) -%}
    cast(
        try_strptime(
            trim({{ column }}),
            ['%d-%b-%y', '%d %b %y', '%d %b %Y', '%d-%b-%Y', '%d %B %Y', '%b %d, %Y', '%B %d, %Y']
        ) as date
    )
{%- endmacro %}

{#-
A landed instant as a UTC timestamp, or null where the text is none: any form of ISO 8601 with a
year, month and day, with or without offset; without one it is UTC, a bare date its first instant.
A final Z says the same and is removed.
-#}
{% macro timestamp_value(column) -%}
    {{ computed_once('iso', extended_iso(column), timestamp_of_extended('iso')) }}
{%- endmacro %}

{#- An instant in the extended form with seconds: 2026-01-04T00:00:00Z. -#}
{% macro timestamp_of_extended(column) -%}
    case
        -- The year comes first, then a dash. A cast alone would also accept words as dates.
        when substr(trim({{ column }}), 5, 1) <> '-' or {{ column }} like '%(%' then null
        when {{ has_offset(column) }} then {{ timestamp_with_offset('trim(' ~ column ~ ')') }}
        else try_cast(trim({{ column }}) as timestamp)
    end
{%- endmacro %}

{#-
The extended form with seconds of an instant in another ISO form: the basic form (20260104T000000Z,
20260104), without seconds or minutes (2026-01-04T00:00Z), with a decimal comma. Other text stays
as it is.
-#}
{% macro extended_iso(column) -%}
    {{ return(adapter.dispatch('extended_iso')(column)) }}
{%- endmacro %}

{% macro duckdb__extended_iso(column) -%}
    regexp_replace(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    trim(rtrim(upper({{ _without_spaces(column) }}), 'Z')),
                    '^(\d{4})(\d\d)(\d\d)($|T.*)', '\1-\2-\3\4'
                ),
                '^(.{10}[T ]\d\d)($|[+-].*)', '\1:00\2'
            ),
            '^(.{10})[T ](\d\d):?(\d\d):?', '\1T\2:\3:'
        ),
        '^(.{17})($|[+-].*)', '\1' || '00\2'
    )
{%- endmacro %}

{#- The text with a decimal point, and no space before an offset. -#}
{% macro _without_spaces(column) -%}
    replace(replace(replace(trim({{ column }}), ',', '.'), ' +', '+'), ' -', '-')
{%- endmacro %}

{#- Whether the time of day is followed by an offset other than Z. -#}
{% macro has_offset(column) -%}
    substr(trim({{ column }}), 17) like '%+%' or substr(trim({{ column }}), 17) like '%-%'
{%- endmacro %}

{% macro timestamp_with_offset(text) -%}
    {{ return(adapter.dispatch('timestamp_with_offset')(text)) }}
{%- endmacro %}

{#-
A cast to timestamp would drop the offset, and a cast by the session's time zone would depend on the
machine. Microseconds since 1970 avoid both.
-#}
{% macro duckdb__timestamp_with_offset(text) -%}
    case
        when {{ _offset_in_seconds(text) }} between -50400 and 50400
            then make_timestamp(epoch_us(try_cast({{ text }} as timestamptz)))
    end
{%- endmacro %}

{#- The offset as an interval. No time zone is more than 14 hours from UTC. -#}
{% macro _offset_in_seconds(text) -%}
    (
        epoch_us(try_cast(substr({{ text }}, 1, 19) as timestamp))
        - epoch_us(try_cast({{ text }} as timestamptz))
    ) / 1000000
{%- endmacro %}

{#-
The result of an expression that uses a value several times under a name. Repeating a long value
instead makes a statement of thousands of operations, each with memory of its own.
-#}
{% macro computed_once(name, value, expression) -%}
    {{ return(adapter.dispatch('computed_once')(name, value, expression)) }}
{%- endmacro %}

{% macro duckdb__computed_once(name, value, expression) -%}
    list_transform([{{ value }}], lambda {{ name }}: {{ expression }})[1]
{%- endmacro %}
