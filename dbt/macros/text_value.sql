{#- The text of a landed value, or null if it is empty. -#}
{% macro text_value(column) -%}
    nullif(trim({{ column }}), '')
{%- endmacro %}

{#-
A landed number or date as text, or null where there is none: programs write NaN, None and the like
in its place. In a column of free text these words stay, as the name of a person may be Null.
-#}
{% macro given_value(column) -%}
    {{ without_words(column) }}
{%- endmacro %}

{#-
A landed id, or null where there is none. People also write N/A and - where there is no id; in an
amount these words stay, as accountants write - for 0.
-#}
{% macro given_id(column) -%}
    {{ without_words(column, ['n/a', '-']) }}
{%- endmacro %}

{#-
A trimmed text, or null if it is one of the words for no value, in any case.

DuckDB makes a hash join of a list with more than four values. Staging has hundreds of these lists,
and their joins took more time than all its other work.
-#}
{% macro without_words(column, more_words=[]) -%}
    case
        when
            lower(trim({{ column }})) not in ('', 'null', 'nan')
            and lower(trim({{ column }})) not in ('{{ (['none', 'nat'] + more_words) | join("', '") }}')
            then trim({{ column }})
    end
{%- endmacro %}

{#- An id as text. GUIDs are in lower case, because systems print them in both cases. -#}
{% macro id_value(column) -%}
    case
        when
            length(trim({{ column }})) = 36
            and substr(trim({{ column }}), 9, 1) = '-'
            and substr(trim({{ column }}), 14, 1) = '-'
            and substr(trim({{ column }}), 24, 1) = '-'
            then lower(trim({{ column }}))
        else {{ given_id(column) }}
    end
{%- endmacro %}
