{#-
The subscription by which a row is split: what apportion.toml declares for its file, else
`otherwise`.
-#}
{% macro declared_subscription(otherwise) -%}
    coalesce({{ id_value('declared_subscription_id') }}, {{ otherwise }})
{%- endmacro %}
