with

landed as (

    select * from {{ source('raw', 'new_commerce_reconciliation') }}

),

renamed as (

    select
        file,
        row_number,
        {{ text_value('term_and_billing_cycle') }} as term_and_billing_cycle,
        {{ date_value('subscription_start_date') }} as term_start_date,
        {{ date_value('subscription_end_date') }} as term_end_date
    from landed

)

select * from renamed
