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

{#- The same pivot as above: two digits from 69 are years of the last century. -#}
{% macro spark__date_with_month_name(column) -%}
    {%- set text = 'initcap(trim(' ~ column ~ '))' -%}
    coalesce(
        {%- for shape, form in [
            ('[0-9]{1,2}-[A-Za-z]{3}-[0-9]{2}', 'd-MMM-yy'),
            ('[0-9]{1,2} [A-Za-z]{3} [0-9]{2}', 'd MMM yy'),
        ] %}
        case
            when {{ text }} rlike '^{{ shape }}$'
                then add_months(
                    cast(try_to_timestamp({{ text }}, '{{ form }}') as date),
                    case when right({{ text }}, 2) >= '69' then -1200 else 0 end
                )
        end,
        {%- endfor %}
        {%- for shape, form in [
            ('[0-9]{1,2} [A-Za-z]{3} [0-9]{4}', 'd MMM yyyy'),
            ('[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}', 'd-MMM-yyyy'),
            ('[0-9]{1,2} [A-Za-z]+ [0-9]{4}', 'd MMMM yyyy'),
            ('[A-Za-z]{3} [0-9]{1,2}, [0-9]{4}', 'MMM d, yyyy'),
            ('[A-Za-z]+ [0-9]{1,2}, [0-9]{4}', 'MMMM d, yyyy'),
        ] %}
        case
            when {{ text }} rlike '^{{ shape }}$'
                then cast(try_to_timestamp({{ text }}, '{{ form }}') as date)
        end{{ ',' if not loop.last }}
        {%- endfor %}
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
        else {{ timestamp_without_offset('trim(' ~ column ~ ')') }}
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
    {{ _extended_iso(column, '\\') }}
{%- endmacro %}

{% macro spark__extended_iso(column) -%}
    {{ _extended_iso(column, '$') }}
{%- endmacro %}

{#- Engines refer to a group of a pattern by a mark and its number. -#}
{% macro _extended_iso(column, mark) -%}
    regexp_replace(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    trim(trim(trailing 'Z' from upper({{ _without_spaces(column) }}))),
                    '^([0-9]{4})([0-9]{2})([0-9]{2})($|T.*)',
                    '{{ mark }}1-{{ mark }}2-{{ mark }}3{{ mark }}4'
                ),
                '^(.{10}[T ][0-9]{2})($|[+-].*)', '{{ mark }}1:00{{ mark }}2'
            ),
            '^(.{10})[T ]([0-9]{2}):?([0-9]{2}):?', '{{ mark }}1T{{ mark }}2:{{ mark }}3:'
        ),
        '^(.{17})($|[+-].*)', '{{ mark }}1' || '00{{ mark }}2'
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

{% macro spark__timestamp_with_offset(text) -%}
    {%- set instant = 'cast(try_cast(' ~ text ~ ' as timestamp_ltz) as timestamp_ntz)' -%}
    {%- set local_time = 'try_cast(substr(' ~ text ~ ', 1, 19) as timestamp_ntz)' -%}
    case
        when
            timestampdiff(second, {{ instant }}, {{ local_time }}) between -50400 and 50400
            then {{ instant }}
    end
{%- endmacro %}

{#- An instant in UTC, or null where the text is none. -#}
{% macro timestamp_without_offset(text) -%}
    {{ return(adapter.dispatch('timestamp_without_offset')(text)) }}
{%- endmacro %}

{% macro duckdb__timestamp_without_offset(text) -%}
    try_cast({{ text }} as timestamp)
{%- endmacro %}

{#- Spark would also read a year and a month as the first day. -#}
{% macro spark__timestamp_without_offset(text) -%}
    case
        when {{ text }} rlike '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}($|[T ])'
            then try_cast({{ text }} as timestamp_ntz)
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

{% macro spark__computed_once(name, value, expression) -%}
    transform(array({{ value }}), {{ name }} -> {{ expression }})[0]
{%- endmacro %}
