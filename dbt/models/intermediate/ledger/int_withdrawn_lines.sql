{#-
A posted line is withdrawn if a newer delivery of its invoice does not contain it. Deleting the files of
an invoice, or of a part of one, withdraws nothing: closed periods do not need their files.
-#}
with

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}
    where is_standing and invoice_number is not null

),

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where invoice_number is not null

),

half_read_invoices as (

    select * from {{ ref('int_half_read_invoices') }}

),

files as (

    select * from {{ ref('stg_landing__files') }}

),

-- Whether an invoice in landing has lines that are not posted.
landed_invoices as (

    select
        billing_lines.provider,
        billing_lines.invoice_number,
        max(case when ledger_lines.line_id is null then 1 else 0 end) = 1 as has_new_lines,
        count(*) over (partition by billing_lines.invoice_number) as provider_count
    from billing_lines
    left join ledger_lines on billing_lines.line_id = ledger_lines.line_id
    group by billing_lines.provider, billing_lines.invoice_number

),

files_of_landed_lines as (

    select
        ledger_lines.invoice_number,
        ledger_lines.file
    from billing_lines
    inner join ledger_lines on billing_lines.line_id = ledger_lines.line_id
    group by ledger_lines.invoice_number, ledger_lines.file

),

landed_files as (

    select file from files
    group by file

),

missing_lines as (

    select
        ledger_lines.*,
        landed_invoices.has_new_lines
        or files_of_landed_lines.file is not null
        or landed_files.file is not null as is_delivered_again
    from ledger_lines
    inner join landed_invoices
        on
            ledger_lines.invoice_number = landed_invoices.invoice_number
            and (
                ledger_lines.provider = landed_invoices.provider
                -- Postings of the first version of the ledger name no provider.
                or (ledger_lines.provider is null and landed_invoices.provider_count = 1)
            )
    left join billing_lines on ledger_lines.line_id = billing_lines.line_id
    left join half_read_invoices
        on
            ledger_lines.invoice_number = half_read_invoices.invoice_number
            and landed_invoices.provider is not distinct from half_read_invoices.provider
    left join files_of_landed_lines
        on
            ledger_lines.invoice_number = files_of_landed_lines.invoice_number
            and ledger_lines.file = files_of_landed_lines.file
    left join landed_files on ledger_lines.file = landed_files.file
    where
        billing_lines.line_id is null
        and half_read_invoices.invoice_number is null

),

-- Other missing lines belong to a part of the invoice whose file was deleted.
final as (

    select * {{ without('is_delivered_again') }} from missing_lines
    where is_delivered_again

)

select * from final
