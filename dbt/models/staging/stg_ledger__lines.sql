{{ config(materialized='view') }}

with

ledger_rows as (

    select * from {{ source('raw', 'ledger_lines') }}

),

sources as (

    select * from {{ ref('focus_sources') }}

),

-- A posting also contains shared costs passed on, in separate columns.
split_lines as (

    select
        ledger_rows.* {{ without(
            'provider',
            'shared_source_kind',
            'shared_source_id',
            'shared_source_name',
            'shared_method',
            'shared_step',
            'receiving_cost_center_id',
            'receiving_cost_center_name',
            'shared_cost',
            'shared_sales',
            'sales_share',
        ) }},
        -- Postings of the first version of the ledger name no provider.
        coalesce(ledger_rows.provider, sources.invoice_issuer_name) as provider
    from ledger_rows
    left join sources on ledger_rows.source_format = sources.source_format
    where ledger_rows.shared_source_kind is null

)

select * from split_lines
