{#- Yes or no in the spellings that people and spreadsheets use. Null for other values. -#}
{% macro flag_value(column) -%}
    case
        when lower(trim({{ column }})) in ('true', 'yes', 'y', '1', 'x', 'wahr', 'ja') then true
        when lower(trim({{ column }})) in ('false', 'no', 'n', '0', 'falsch', 'nein') then false
    end
{%- endmacro %}
