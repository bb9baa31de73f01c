{#- The text of a landed value, or null where there is none. -#}
{% macro text_value(column) -%}
    nullif(trim({{ column }}), '')
{%- endmacro %}

{#- An id as text; a GUID in lower case, since systems print GUIDs in both cases. -#}
{% macro id_value(column) -%}
    case
        when
            {{ matches('trim(' ~ column ~ ')', '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}') }}
            then lower(trim({{ column }}))
        else {{ text_value(column) }}
    end
{%- endmacro %}
