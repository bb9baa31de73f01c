{{ config(materialized='view') }}

with

ledger_postings as (

    select * from {{ source('raw', 'ledger_postings') }}

)

select * from ledger_postings
