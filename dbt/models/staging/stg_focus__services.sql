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
        {{ focus_subscription_name() }} as subscription_name
    from landed

)

select * from renamed
