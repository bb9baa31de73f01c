{#- Services, tags, SKUs and prices as stated on the bill, while its file exists. -#}
with

billing_lines as (

    select
        line_id,
        source_format,
        file,
        row_number,
        tags,
        currency
    from {{ ref('int_billing_lines') }}

),

focus_bills as (

    select * from {{ ref('stg_focus__services') }}

),

new_commerce as (

    select * from {{ ref('stg_new_commerce__prices') }}

),

daily_usage as (

    select * from {{ ref('stg_daily_usage__prices') }}

),

service_categories as (

    select * from {{ ref('focus_service_categories') }}

),

-- FOCUS has unit prices in the currency of the bill only.
partner_center as (

    select
        'new_commerce_reconciliation' as source_format,
        *
    from new_commerce
    union all
    select
        'daily_rated_usage' as source_format,
        *
    from daily_usage

),

details as (

    select
        billing_lines.line_id,
        {{ json_object_or_null('billing_lines.tags') }} as tags,
        focus_bills.invoice_issuer_name,
        focus_bills.service_provider_name,
        focus_bills.subscription_name,
        focus_bills.commitment_discount_id,
        focus_bills.commitment_discount_status,
        case
            when focus_bills.pricing_category in ('Standard', 'Dynamic', 'Committed', 'Other')
                then focus_bills.pricing_category
            when focus_bills.pricing_category is not null then 'Other'
        end as pricing_category,
        coalesce(focus_bills.sku_meter, partner_center.sku_meter) as sku_meter,
        coalesce(focus_bills.sku_price_id, partner_center.sku_price_id) as sku_price_id,
        coalesce(focus_bills.sku_price_details, partner_center.sku_price_details)
            as sku_price_details,
        coalesce(
            focus_bills.list_unit_price,
            case
                when coalesce(partner_center.pricing_currency = billing_lines.currency, true)
                    then abs(partner_center.unit_price)
            end
        ) as list_unit_price,
        coalesce(
            focus_bills.contracted_unit_price,
            case
                when coalesce(partner_center.pricing_currency = billing_lines.currency, true)
                    then abs(partner_center.effective_unit_price)
            end
        ) as contracted_unit_price,
        service_categories.service_category,
        service_categories.other_subcategory
    from billing_lines
    left join focus_bills
        on
            billing_lines.source_format = 'focus_cost_and_usage'
            and billing_lines.file = focus_bills.file
            and billing_lines.row_number = focus_bills.row_number
    left join partner_center
        on
            billing_lines.source_format = partner_center.source_format
            and billing_lines.file = partner_center.file
            and billing_lines.row_number = partner_center.row_number
    left join service_categories
        on focus_bills.service_category = service_categories.service_category

)

select * from details
