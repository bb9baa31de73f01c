with

ledger_lines as (

    select * from {{ source('raw', 'ledger_lines') }}

)

select * from ledger_lines
