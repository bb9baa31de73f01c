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
        {{ decimal_value('pc_to_bc_exchange_rate') }} as exchange_rate
    from landed

)

select * from renamed
