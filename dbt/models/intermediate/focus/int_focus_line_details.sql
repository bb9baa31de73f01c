{#- Services and tags as stated on the bill, while its file exists. -#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

focus_bills as (

    select * from {{ ref('stg_focus__services') }}

),

service_categories as (

    select * from {{ ref('focus_service_categories') }}

),

details as (

    select
        billing_lines.line_id,
        {{ json_object_or_null('billing_lines.tags') }} as tags,
        focus_bills.invoice_issuer_name,
        focus_bills.service_provider_name,
        focus_bills.subscription_name,
        service_categories.service_category,
        service_categories.other_subcategory
    from billing_lines
    left join focus_bills
        on
            billing_lines.source_format = 'focus_cost_and_usage'
            and billing_lines.file = focus_bills.file
            and billing_lines.row_number = focus_bills.row_number
    left join service_categories
        on focus_bills.service_category = service_categories.service_category

)

select * from details
