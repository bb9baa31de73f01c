{{ config(materialized='view') }}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where charge_source = 'license' and subscription_id is not null

),

subscriptions as (

    select
        subscription_id,
        min(organization_id) as organization_id,
        lower(max_by(product_name, concat_ws('', billing_date, line_id))) as product_key,
        lower(max_by(coalesce(product_id, ''), concat_ws('', billing_date, line_id)))
            as product_id_key,
        lower(max_by(coalesce(sku_id, ''), concat_ws('', billing_date, line_id))) as sku_key,
        min(charge_start_date) as first_charge_date,
        max(charge_end_date) as last_charge_date,
        max(billing_date) as last_billing_date
    from billing_lines
    group by subscription_id

)

select * from subscriptions
