{#- Lines as landed. For closed periods whose files are no longer in landing, lines as posted. -#}
{{ config(materialized='view') }}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}

),

ledger_balances as (

    select * from {{ ref('int_ledger_balances') }}

),

withdrawn_lines as (

    select * from {{ ref('int_withdrawn_lines') }}

),

half_read_invoices as (

    select * from {{ ref('int_half_read_invoices') }}

),

landed_invoices as (

    select invoice_number
    from billing_lines
    where invoice_number is not null
    group by invoice_number

),

posted_lines as (

    select
        ledger_lines.provider,
        ledger_lines.invoice_number,
        ledger_lines.billing_date,
        ledger_lines.currency,
        ledger_lines.line_id,
        sum(ledger_balances.total_cost) as total_cost
    from ledger_lines
    inner join ledger_balances on ledger_lines.line_id = ledger_balances.line_id
    left join billing_lines on ledger_lines.line_id = billing_lines.line_id
    left join withdrawn_lines on ledger_lines.line_id = withdrawn_lines.line_id
    left join half_read_invoices
        on
            ledger_lines.invoice_number = half_read_invoices.invoice_number
            and coalesce(ledger_lines.provider, half_read_invoices.provider, '')
            = coalesce(half_read_invoices.provider, '')
    left join landed_invoices
        on half_read_invoices.invoice_number = landed_invoices.invoice_number
    where
        ledger_lines.is_standing
        and billing_lines.line_id is null
        and withdrawn_lines.line_id is null
        and landed_invoices.invoice_number is null
    group by
        ledger_lines.provider,
        ledger_lines.invoice_number,
        ledger_lines.billing_date,
        ledger_lines.currency,
        ledger_lines.line_id

),

lines as (

    select
        provider,
        invoice_number,
        billing_date,
        currency,
        total_cost,
        rounding_residual,
        cast(0 as decimal(28, 10)) as posted_cost
    from billing_lines
    union all
    select
        provider,
        invoice_number,
        billing_date,
        currency,
        total_cost,
        cast(0 as decimal(38, 18)) as rounding_residual,
        total_cost as posted_cost
    from posted_lines

),

-- If the source has no invoice number, the billing date identifies the bill.
final as (

    select
        provider,
        invoice_number,
        case when invoice_number is null then billing_date end as report_date,
        currency,
        max(billing_date) as billing_date,
        count(*) as line_count,
        sum(total_cost) as lines_total,
        sum(rounding_residual) as rounding_residual,
        sum(posted_cost) as posted_total
    from lines
    group by
        provider,
        invoice_number,
        case when invoice_number is null then billing_date end,
        currency

)

select * from final
