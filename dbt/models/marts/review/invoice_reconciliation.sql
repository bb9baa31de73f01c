with

reconciled_bills as (

    select * from {{ ref('int_reconciled_bills') }}

)

select * from reconciled_bills
