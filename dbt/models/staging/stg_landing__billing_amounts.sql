{#-
The amount of every landed row of a bill, read from the raw tables independently of the models, for
comparison with the deliveries. An amount that is unreadable or implausibly large is null.
-#}
{{ config(materialized='view') }}
{%- set amounts = {
    'broker_report': 'total_cost',
    'distributor_bill': 'total_cost',
    'new_commerce_reconciliation': 'subtotal',
    'legacy_license_based': 'subtotal',
    'daily_rated_usage': 'billing_pre_tax_total',
    'focus_cost_and_usage': 'billed_cost',
} %}

with

{% for table, amount in amounts.items() %}
    {{ table }} as (

        select
            content_hash,
            {{ decimal_value(amount) }} as exact_amount
        from {{ source('raw', table) }}

    ),
{% endfor %}

rejected_rows as (

    select
        content_hash,
        total_cost as exact_amount
    from {{ ref('stg_landing__rejected_rows') }}
    where feed = 'billing_lines'

),

unioned as (

    {% for table in amounts %}
        select * from {{ table }}
        union all
    {% endfor %}
    select * from rejected_rows

),

bounded as (

    select
        content_hash,
        case when abs(exact_amount) < 1000000000000 then exact_amount end as exact_amount
    from unioned

)

select * from bounded
