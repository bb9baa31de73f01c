with

landed as (

    select * from {{ source('raw', 'focus_cost_and_usage') }}

),

renamed as (

    select
        file,
        row_number,
        {{ text_value('invoice_issuer_name') }} as invoice_issuer_name,
        coalesce(
            {{ text_value('service_provider_name') }}, {{ text_value('provider_name') }}
        ) as service_provider_name,
        {{ text_value('service_category') }} as service_category,
        {{ focus_subscription_name() }} as subscription_name,
        {{ decimal_value('effective_cost') }} as effective_cost,
        {{ decimal_value('list_cost') }} as list_cost,
        {{ decimal_value('contracted_cost') }} as contracted_cost,
        {{ decimal_value('pricing_quantity') }} as pricing_quantity,
        {{ decimal_value('list_unit_price') }} as list_unit_price,
        {{ decimal_value('contracted_unit_price') }} as contracted_unit_price,
        {{ given_id('sku_price_id') }} as sku_price_id,
        {{ text_value('sku_meter') }} as sku_meter,
        {{ json_object_or_null(text_value('sku_price_details')) }} as sku_price_details,
        {{ text_value('pricing_category') }} as pricing_category,
        {{ given_id('commitment_discount_id') }} as commitment_discount_id,
        {{ text_value('commitment_discount_status') }} as commitment_discount_status,
        {{ instant_value('billing_period_start') }} as billing_period_start,
        {{ instant_value('billing_period_end') }} as billing_period_end
    from landed

)

select * from renamed
