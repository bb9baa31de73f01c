{#- Leaves columns out of a star: `charges.* {{ without('seats', 'changed_on') }}`. -#}
{% macro without() -%}
    {{ return(adapter.dispatch('without')(varargs)) }}
{%- endmacro %}

{% macro duckdb__without(columns) -%}
    exclude ({{ columns | join(', ') }})
{%- endmacro %}

{% macro spark__without(columns) -%}
    except ({{ columns | join(', ') }})
{%- endmacro %}
