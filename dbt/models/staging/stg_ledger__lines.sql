with

ledger_rows as (

    select * from {{ source('raw', 'ledger_lines') }}

),

-- A posting also contains shared costs passed on, in separate columns.
split_lines as (

    select
        * exclude (
            shared_source_kind, shared_source_id, shared_source_name, shared_method, shared_step,
            receiving_cost_center_id, receiving_cost_center_name, shared_cost, shared_sales
        )
    from ledger_rows
    where shared_source_kind is null

)

select * from split_lines
