{{ config(materialized='view') }}

with

ledger_rows as (

    select * from {{ source('raw', 'ledger_lines') }}

),

shared_costs as (

    select
        posting_number,
        billing_period,
        organization_id,
        organization_name,
        currency,
        shared_step as step,
        shared_source_kind as source_kind,
        shared_source_id as source_id,
        shared_source_name as source_name,
        shared_method as method,
        cost_center_id as from_cost_center_id,
        cost_center_name as from_cost_center_name,
        receiving_cost_center_id as to_cost_center_id,
        receiving_cost_center_name as to_cost_center_name,
        product_name,
        share,
        -- Postings before Apportion 0.2 have one share for both.
        coalesce(sales_share, share) as sales_share,
        shared_cost,
        shared_sales,
        explanation
    from ledger_rows
    where shared_source_kind is not null

)

select * from shared_costs
