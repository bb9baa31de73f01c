{#- A decimal without trailing zeros: 12.5, not 12.5000000000. -#}
{% macro plain_number(amount) -%}
    rtrim(rtrim(cast(cast({{ amount }} as decimal(28, 10)) as varchar), '0'), '.')
{%- endmacro %}

{#- An instant in readable form: 2025-12-17 09:30 UTC. -#}
{% macro plain_instant(instant) -%}
    concat(substr(cast({{ instant }} as varchar), 1, 16), ' UTC')
{%- endmacro %}
