{#- A whole row of a relation as one value. It is converted to text only if it is needed. -#}
{% macro whole_row(relation) -%}
    {{ return(adapter.dispatch('whole_row')(relation)) }}
{%- endmacro %}

{% macro duckdb__whole_row(relation) -%}
    {{ relation }}
{%- endmacro %}

{% macro spark__whole_row(relation) -%}
    struct({{ relation }}.*)
{%- endmacro %}

{#- A landed row as readable JSON text, without the columns added by ingestion. -#}
{% macro row_as_json(row) -%}
    {{ return(adapter.dispatch('row_as_json')(row)) }}
{%- endmacro %}

{% macro duckdb__row_as_json(row) -%}
    cast(
        json_merge_patch(
            to_json({{ row }}),
            '{"file": null, "row_number": null, "content_hash": null, "loaded_at": null,
            "declared_subscription_id": null}'
        ) as string
    )
{%- endmacro %}

{% macro spark__row_as_json(row) -%}
    to_json(
        map_filter(
            from_json(to_json({{ row }}), 'map<string,string>'),
            (name, value) -> name not in (
                'file', 'row_number', 'content_hash', 'loaded_at', 'declared_subscription_id'
            )
        )
    )
{%- endmacro %}

{#- One value of a JSON object, as text. -#}
{% macro json_text(column, key) -%}
    {{ return(adapter.dispatch('json_text')(column, key)) }}
{%- endmacro %}

{% macro duckdb__json_text(column, key) -%}
    json_extract_string({{ column }}, '$.{{ key }}')
{%- endmacro %}

{% macro spark__json_text(column, key) -%}
    get_json_object({{ column }}, '$.{{ key }}')
{%- endmacro %}

{#- The same for a key that is an expression and may be any text. -#}
{% macro json_text_at(column, key) -%}
    {{ return(adapter.dispatch('json_text_at')(column, key)) }}
{%- endmacro %}

{% macro duckdb__json_text_at(column, key) -%}
    cast(cast({{ column }} as json) as map(string, string))[{{ key }}]
{%- endmacro %}

{% macro spark__json_text_at(column, key) -%}
    from_json({{ column }}, 'map<string,string>')[{{ key }}]
{%- endmacro %}

{#-
The keys of a JSON object with their values as text, one per row. Text that is not JSON gives no
rows.
-#}
{% macro each_json_pair(column) -%}
    {{ return(adapter.dispatch('each_json_pair')(column)) }}
{%- endmacro %}

{% macro duckdb__each_json_pair(column) -%}
    unnest(map_entries(try_cast(try_cast({{ column }} as json) as map(string, string))))
{%- endmacro %}

{% macro spark__each_json_pair(column) -%}
    explode(map_entries(from_json({{ column }}, 'map<string,string>')))
{%- endmacro %}

{#- The objects of a JSON array, one row each; an empty array has none. -#}
{% macro each_json_object(column) -%}
    {{ return(adapter.dispatch('each_json_object')(column)) }}
{%- endmacro %}

{% macro duckdb__each_json_object(column) -%}
    unnest(try_cast({{ column }} as json[]))
{%- endmacro %}

{% macro spark__each_json_object(column) -%}
    explode(from_json({{ column }}, 'array<string>'))
{%- endmacro %}
