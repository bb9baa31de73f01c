{#- The text of a landed value, or null where there is none. -#}
{% macro text_value(column) -%}
    nullif(trim({{ column }}), '')
{%- endmacro %}

{#- An id as text; a GUID in lower case, since systems print GUIDs in both cases. -#}
{% macro id_value(column) -%}
    case
        when
            length(trim({{ column }})) = 36
            and substr(trim({{ column }}), 9, 1) = '-'
            and substr(trim({{ column }}), 14, 1) = '-'
            and substr(trim({{ column }}), 24, 1) = '-'
            then lower(trim({{ column }}))
        else {{ text_value(column) }}
    end
{%- endmacro %}
