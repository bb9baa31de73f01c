{#- The rows of every source format in one structure, usable or not. One line per format. -#}
{{ config(materialized='view') }}

{%- set models = [
    'stg_broker_report__billing_lines',
    'stg_distributor__billing_lines',
    'stg_new_commerce__billing_lines',
    'stg_legacy__billing_lines',
    'stg_daily_usage__billing_lines',
    'stg_focus__billing_lines',
] %}

with

unioned as (

    {% for model in models %}
        select * from {{ ref(model) }}
        {% if not loop.last %}union all by name{% endif %}
    {% endfor %}

)

select * from unioned
