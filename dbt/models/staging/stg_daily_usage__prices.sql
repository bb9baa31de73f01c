with

landed as (

    select * from {{ source('raw', 'daily_rated_usage') }}

),

renamed as (

    select
        file,
        row_number,
        {{ decimal_value('unit_price') }} as unit_price,
        {{ decimal_value('quantity') }} as quantity,
        upper({{ given_value('pricing_currency') }}) as pricing_currency,
        {{ decimal_value('pc_to_bc_exchange_rate') }} as exchange_rate,
        concat_ws(
            ':',
            {{ given_id('product_id') }},
            {{ given_id('sku_id') }},
            {{ given_id('availability_id') }},
            {{ given_id('meter_id') }}
        ) as sku_price_id,
        coalesce({{ text_value('meter_name') }}, {{ text_value('meter_category') }}) as sku_meter,
        cast(null as decimal(38, 18)) as effective_unit_price,
        {{ json_object_of({
            'x_MeterCategory': text_value('meter_category'),
            'x_MeterSubCategory': text_value('meter_sub_category'),
            'x_MeterRegion': text_value('meter_region'),
        }) }} as sku_price_details
    from landed

)

select * from renamed
