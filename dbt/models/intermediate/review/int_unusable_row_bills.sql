{#- A view, in the schema of staging: raw rows of the directory name persons. -#}
{{ config(materialized='view', schema='staging') }}
with

unusable_rows as (

    select * from {{ ref('int_unusable_rows') }}

),

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}

),

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

-- A damaged row belongs to the bill that the other rows of its file belong to.
bills_of_files as (

    select
        content_hash,
        case when count(distinct provider) = 1 then max(provider) end as provider,
        case
            when count(distinct invoice_number) = 1 then max(invoice_number)
        end as invoice_number,
        case when count(distinct billing_date) = 1 then max(billing_date) end as billing_date,
        case when count(distinct currency) = 1 then max(currency) end as currency
    from delivered_lines
    group by content_hash

),

currencies_of_files as (

    select
        landed_file as file,
        case when count(distinct currency) = 1 then max(currency) end as currency
    from billing_lines
    group by landed_file

),

attributed as (

    select
        unusable_rows.feed,
        unusable_rows.source_format,
        unusable_rows.file,
        unusable_rows.content_hash,
        unusable_rows.row_number,
        unusable_rows.column_name,
        unusable_rows.value,
        unusable_rows.reason,
        unusable_rows.raw_row,
        unusable_rows.delivery,
        unusable_rows.scope_key,
        unusable_rows.exact_cost,
        coalesce(unusable_rows.provider, bills_of_files.provider) as provider,
        coalesce(unusable_rows.invoice_number, bills_of_files.invoice_number) as invoice_number,
        case
            when coalesce(unusable_rows.invoice_number, bills_of_files.invoice_number) is null
                then coalesce(unusable_rows.billing_date, bills_of_files.billing_date)
        end as billing_date,
        case
            when unusable_rows.feed = 'billing_lines'
                then coalesce(
                    unusable_rows.currency,
                    currencies_of_files.currency,
                    bills_of_files.currency,
                    'XXX'
                )
        end as currency
    from unusable_rows
    left join bills_of_files on unusable_rows.content_hash = bills_of_files.content_hash
    left join currencies_of_files on unusable_rows.file = currencies_of_files.file

)

select * from attributed
