{#- They landed after the period was closed, in a new file or with a re-issued invoice. -#}
{{ config(materialized='view') }}
with

computed_rows as (

    select * from {{ ref('int_computed_rows') }}

),

correction_period as (

    select * from {{ ref('int_correction_period') }}

),

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}
    where is_standing

),

half_read_invoices as (

    select * from {{ ref('int_half_read_invoices') }}

),

late_rows as (

    select
        computed_rows.* exclude (billing_period),
        correction_period.correction_period as billing_period,
        cast(null as varchar) as corrects_line_id
    from computed_rows
    inner join correction_period
        on computed_rows.billing_period <= correction_period.closed_through
    left join ledger_lines on computed_rows.line_id = ledger_lines.line_id
    left join half_read_invoices
        on
            computed_rows.invoice_number = half_read_invoices.invoice_number
            and computed_rows.provider is not distinct from half_read_invoices.provider
    where
        ledger_lines.line_id is null
        and half_read_invoices.invoice_number is null

)

select * from late_rows
