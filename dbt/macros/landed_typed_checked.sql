{#-
The first CTEs of a staging model: `landed`, the rows of a raw table as text; `typed`, with columns for
values that are read as numbers, dates and the like; and `checked`, with the first check that a row
fails. `typed` maps names of columns to SQL, and `checks` are as failed_check takes them.
-#}
{% macro landed_typed_checked(table, typed, checks) -%}
landed as (

    {{ landed_rows(table) }}

),

{{ typed_and_checked('landed', typed, checks) }}
{%- endmacro %}

{#- The rows of a raw table, and each row as a whole for the quarantine. -#}
{% macro landed_rows(table) -%}
    select
        landed_rows.*,
        {{ whole_row('landed_rows') }} as landed_row
    from {{ source('raw', table) }} as landed_rows
{%- endmacro %}

{#- The CTEs `typed` and `checked`, from another relation than the landed rows. -#}
{% macro typed_and_checked(relation, typed, checks) -%}
typed as (

    select
        *,
        {%- for column, value in typed.items() %}
        {{ value }} as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ relation }}

),

checked as (

    select
        *,
        {{ failed_check(checks) }}
    from typed

)
{%- endmacro %}
