with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

report_rows as (

    select * from {{ ref('int_report_rows') }}

),

ledger_balances as (

    select * from {{ ref('int_ledger_balances') }}

),

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}

),

quarantined_rows as (

    select * from {{ ref('int_quarantined_rows') }}
    where not is_superseded and feed = 'billing_lines'

),

invoices as (

    select * from {{ ref('int_invoices') }}

),

landed_invoices as (

    select invoice_number
    from billing_lines
    where invoice_number is not null
    group by invoice_number

),

-- Lines as landed; of a closed period whose files are gone, lines as posted.
posted_lines as (

    select
        ledger_lines.invoice_number,
        ledger_lines.billing_date,
        ledger_lines.currency,
        ledger_lines.line_id,
        sum(ledger_balances.total_cost) as total_cost
    from ledger_lines
    inner join ledger_balances on ledger_lines.line_id = ledger_balances.line_id
    left join billing_lines on ledger_lines.line_id = billing_lines.line_id
    left join landed_invoices
        on ledger_lines.invoice_number = landed_invoices.invoice_number
    where
        ledger_lines.is_standing
        and billing_lines.line_id is null
        and landed_invoices.invoice_number is null
    group by
        ledger_lines.invoice_number,
        ledger_lines.billing_date,
        ledger_lines.currency,
        ledger_lines.line_id

),

lines as (

    select
        invoice_number,
        billing_date,
        currency,
        total_cost,
        rounding_residual
    from billing_lines
    union all
    select
        invoice_number,
        billing_date,
        currency,
        total_cost,
        cast(0 as decimal(38, 18)) as rounding_residual
    from posted_lines

),

-- Where the source has no invoice number, the billing date stands for the invoice.
of_lines as (

    select
        invoice_number,
        case when invoice_number is null then billing_date end as report_date,
        currency,
        max(billing_date) as billing_date,
        count(*) as line_count,
        sum(total_cost) as lines_total,
        sum(rounding_residual) as rounding_residual
    from lines
    group by
        invoice_number,
        case when invoice_number is null then billing_date end,
        currency

),

-- All that was billed for it, corrections included.
of_report as (

    select
        invoice_number,
        case when invoice_number is null then billing_date end as report_date,
        currency,
        sum(total_cost) as allocated_total
    from report_rows
    group by
        invoice_number,
        case when invoice_number is null then billing_date end,
        currency

),

of_quarantine as (

    select
        invoice_number,
        case when invoice_number is null then billing_date end as report_date,
        currency,
        count(*) as quarantined_row_count,
        sum(total_cost) as quarantined_total
    from quarantined_rows
    group by
        invoice_number,
        case when invoice_number is null then billing_date end,
        currency

),

of_invoices as (

    select
        invoice_number,
        cast(null as date) as report_date,
        currency,
        invoice_date,
        subtotal,
        exact_subtotal,
        subtotal_decimals
    from invoices

),

bills as (

    select
        invoice_number,
        report_date,
        currency
    from of_lines
    union
    select
        invoice_number,
        report_date,
        currency
    from of_quarantine
    union
    select
        invoice_number,
        report_date,
        currency
    from of_invoices

),

compared as (

    select
        bills.invoice_number,
        coalesce(of_invoices.invoice_date, bills.report_date, of_lines.billing_date)
            as billing_date,
        bills.currency,
        of_invoices.subtotal as invoice_total,
        coalesce(of_lines.lines_total, 0) as lines_total,
        coalesce(of_report.allocated_total, 0) as allocated_total,
        coalesce(of_quarantine.quarantined_total, 0) as quarantined_total,
        of_invoices.exact_subtotal
        - coalesce(of_lines.lines_total, 0)
        - coalesce(of_lines.rounding_residual, 0) as variance,
        coalesce(of_lines.line_count, 0) as line_count,
        coalesce(of_quarantine.quarantined_row_count, 0) as quarantined_row_count,
        coalesce(of_lines.rounding_residual, 0) as rounding_residual,
        of_invoices.subtotal_decimals
    from bills
    left join of_lines
        on
            bills.invoice_number is not distinct from of_lines.invoice_number
            and bills.report_date is not distinct from of_lines.report_date
            and bills.currency is not distinct from of_lines.currency
    left join of_report
        on
            bills.invoice_number is not distinct from of_report.invoice_number
            and bills.report_date is not distinct from of_report.report_date
            and bills.currency is not distinct from of_report.currency
    left join of_quarantine
        on
            bills.invoice_number is not distinct from of_quarantine.invoice_number
            and bills.report_date is not distinct from of_quarantine.report_date
            and bills.currency is not distinct from of_quarantine.currency
    left join of_invoices
        on
            bills.invoice_number = of_invoices.invoice_number
            and bills.currency = of_invoices.currency

),

judged as (

    select
        invoice_number,
        billing_date,
        currency,
        cast(invoice_total as decimal(28, 10)) as invoice_total,
        cast(lines_total as decimal(28, 10)) as lines_total,
        cast(allocated_total as decimal(28, 10)) as allocated_total,
        cast(quarantined_total as decimal(28, 10)) as quarantined_total,
        cast(variance as decimal(28, 10)) as variance,
        case
            when quarantined_row_count > 0 then 'quarantined'
            when lines_total <> allocated_total then 'not_allocated'
            when invoice_total is null then 'no_invoice'
            when line_count = 0 then 'no_lines'
            when variance = 0 then 'reconciled'
            when abs(variance) * 2 <= {{ last_decimal('subtotal_decimals') }}
                then 'within_rounding'
            else 'variance'
        end as status,
        line_count,
        quarantined_row_count,
        cast(rounding_residual as decimal(38, 18)) as rounding_residual
    from compared

)

select * from judged
