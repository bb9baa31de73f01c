{#-
The schema is the layer (staging, intermediate, marts, rules), without the target's name as prefix.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
