{#- Every source format's rows in one shape, usable or not. One line here per format. -#}

with

broker_report as (

    select * from {{ ref('stg_broker_report__billing_lines') }}

),

new_commerce as (

    select * from {{ ref('stg_new_commerce__billing_lines') }}

),

unioned as (

    select * from broker_report
    union all
    select * from new_commerce

)

select * from unioned
