{#- A decimal without trailing zeros: 12.5, not 12.5000000000. -#}
{% macro plain_number(amount) -%}
    trim(
        trailing '.' from trim(
            trailing '0' from cast(cast({{ amount }} as decimal(28, 10)) as string)
        )
    )
{%- endmacro %}

{#- An instant in readable form: 2025-12-17 09:30 UTC. -#}
{% macro plain_instant(instant) -%}
    concat_ws('', substr(cast({{ instant }} as string), 1, 16), ' UTC')
{%- endmacro %}
