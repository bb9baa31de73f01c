{#- The text of a landed value, or null if it is empty. -#}
{% macro text_value(column) -%}
    nullif(trim({{ column }}), '')
{%- endmacro %}

{#-
A landed id, number or date as text, or null where there is none: programs write NaN, None and the
like in its place. In a column of free text these words stay, as the name of a person may be Null.

DuckDB makes a hash join of a list with more than four values. Staging has hundreds of these lists,
and their joins took more time than all its other work.
-#}
{% macro given_value(column) -%}
    case
        when
            lower(trim({{ column }})) not in ('', 'null', 'nan')
            and lower(trim({{ column }})) not in ('none', 'nat')
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
        else {{ given_value(column) }}
    end
{%- endmacro %}
