with

invoices as (

    select * from {{ ref('stg_invoices__invoices') }}
    where rejected_reason is null

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where status = 'loaded'

),

-- An invoice that is listed twice is what the file written last says.
ranked as (

    select
        invoices.*,
        row_number() over (
            partition by invoices.invoice_number, invoices.currency
            order by files.modified_at desc, invoices.file desc, invoices.row_number desc
        ) as newest_first
    from invoices
    inner join files on invoices.content_hash = files.content_hash

)

select
    invoice_number,
    invoice_date,
    currency,
    subtotal,
    exact_subtotal,
    subtotal_decimals,
    tax_total,
    total
from ranked
where newest_first = 1
