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

currencies as (

    select * from {{ ref('currencies') }}

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
        invoices.exact_subtotal,
        invoices.exact_tax_total,
        invoices.exact_total,
        invoices.total,
        -- A total without a subtotal comes from JSON, which has 246.4 for 246.40.
        case
            when invoices.exact_subtotal is not null then invoices.subtotal_decimals
            else
                greatest(
                    invoices.total_decimals,
                    coalesce(own_currency.decimals, other_currency.decimals)
                )
        end as invoice_decimals,
        invoices.file,
        invoices.row_number,
        files.modified_at,
        coalesce(providers.provider, invoices.provider) as provider,
        invoices.provider is not null as is_provider_listed,
        coalesce(provider_counts.provider_count, 0) > 1 and invoices.provider is null
            as is_ambiguous
    from invoices
    left join currencies as own_currency on invoices.currency = own_currency.currency
    inner join currencies as other_currency on other_currency.currency = '(any other)'
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
    exact_subtotal,
    exact_tax_total,
    exact_total,
    total,
    invoice_decimals,
    is_ambiguous
from ranked
where newest_first = 1
