{#- An id derived from the values of columns. The same values give the same id on every build. -#}
{% macro surrogate_id(columns) -%}
    md5(concat_ws('|',
        {%- for column in columns %}
        coalesce(cast({{ column }} as string), '~'){{ ',' if not loop.last }}
        {%- endfor %}
    ))
{%- endmacro %}
