with

landed as (

    select * from {{ source('raw', 'new_commerce_reconciliation') }}

),

renamed as (

    select
        file,
        row_number,
        {{ decimal_value('unit_price') }} as unit_price,
        coalesce(
            nullif({{ decimal_value('billable_quantity') }}, 0), {{ decimal_value('quantity') }}
        ) as quantity,
        upper({{ given_value('pricing_currency') }}) as pricing_currency,
        {{ decimal_value('pc_to_bc_exchange_rate') }} as exchange_rate,
        concat_ws(
            ':',
            {{ given_id('product_id') }},
            {{ given_id('sku_id') }},
            {{ given_id('availability_id') }}
        ) as sku_price_id,
        {{ text_value('meter_description') }} as sku_meter,
        {{ decimal_value('effective_unit_price') }} as effective_unit_price,
        {{ json_object_of({
            'x_TermAndBillingCycle': text_value('term_and_billing_cycle'),
            'x_PromotionId': given_id('promotion_id'),
        }) }} as sku_price_details
    from landed

)

select * from renamed
