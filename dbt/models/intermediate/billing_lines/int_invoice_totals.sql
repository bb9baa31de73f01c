{#-
The total before tax of each listed invoice, which its lines must add up to: the subtotal, else the
total with tax less the tax.
-#}
with

invoices as (

    select * from {{ ref('int_invoices') }}

),

invoice_taxes as (

    select * from {{ ref('int_invoice_taxes') }}

),

before_tax as (

    select
        invoices.provider,
        invoices.invoice_number,
        invoices.currency,
        invoices.invoice_date,
        coalesce(
            invoices.exact_subtotal,
            invoices.exact_total
            - coalesce(invoices.exact_tax_total, invoice_taxes.tax_total)
        ) as exact_invoice_total,
        invoices.invoice_decimals,
        invoices.total as invoice_total_with_tax
    from invoices
    left join invoice_taxes
        on
            {{ match_key('invoices.provider') }}
            is not distinct from invoice_taxes.provider_key
            and invoices.invoice_number = invoice_taxes.invoice_number
            and invoices.currency = invoice_taxes.currency

)

select
    provider,
    invoice_number,
    currency,
    invoice_date,
    {{ measure('exact_invoice_total') }} as invoice_total,
    exact_invoice_total,
    invoice_decimals,
    invoice_total_with_tax
from before_tax
