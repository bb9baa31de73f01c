{#-
The listed invoices with the provider whose bills have the number. Two providers may use one number:
then the list has to name the provider.
-#}
with

invoices as (

    select * from {{ ref('stg_invoices__invoices') }}
    where rejected_reason is null

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where status = 'loaded'

),

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}

),

ledger_lines as (

    select * from {{ ref('stg_ledger__lines') }}

),

billed as (

    select
        provider,
        invoice_number
    from delivered_lines
    where invoice_number is not null
    union
    select
        provider,
        invoice_number
    from ledger_lines
    where invoice_number is not null and provider is not null

),

providers as (

    select
        invoice_number,
        {{ match_key('provider') }} as provider_key,
        max(provider) as provider,
        count(*) over (partition by invoice_number) as provider_count
    from billed
    group by invoice_number, {{ match_key('provider') }}

),

provider_counts as (

    select
        invoice_number,
        max(provider_count) as provider_count
    from providers
    group by invoice_number

),

with_provider as (

    select
        invoices.invoice_number,
        invoices.invoice_date,
        invoices.currency,
        invoices.subtotal,
        invoices.exact_subtotal,
        invoices.subtotal_decimals,
        invoices.tax_total,
        invoices.total,
        invoices.file,
        invoices.row_number,
        files.modified_at,
        coalesce(providers.provider, invoices.provider) as provider,
        invoices.provider is not null as is_provider_listed,
        coalesce(provider_counts.provider_count, 0) > 1 and invoices.provider is null
            as is_ambiguous
    from invoices
    inner join files on invoices.content_hash = files.content_hash
    left join providers
        on
            invoices.invoice_number = providers.invoice_number
            and (
                {{ match_key('invoices.provider') }} = providers.provider_key
                or (invoices.provider is null and providers.provider_count = 1)
            )
    left join provider_counts on invoices.invoice_number = provider_counts.invoice_number

),

-- For an invoice that is listed twice, a row that names the provider counts.
ranked as (

    select
        *,
        {{ newest_first(
            ['invoice_number', 'currency', match_key('provider')],
            rows='with_provider', files='with_provider', preferred='is_provider_listed'
        ) }}
    from with_provider

)

select
    provider,
    invoice_number,
    invoice_date,
    currency,
    subtotal,
    exact_subtotal,
    subtotal_decimals,
    tax_total,
    total,
    is_ambiguous
from ranked
where newest_first = 1
