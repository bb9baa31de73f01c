{%- set bill = ['provider', 'invoice_number', 'report_date', 'currency'] -%}

with

report_rows as (

    select * from {{ ref('int_report_rows') }}

),

delivery_balances as (

    select * from {{ ref('int_delivery_balances') }}

),

bill_lines as (

    select * from {{ ref('int_bill_lines') }}

),

quarantined_rows as (

    select * from {{ ref('int_quarantined_rows') }}
    where not is_superseded and feed = 'billing_lines'

),

invoice_totals as (

    select * from {{ ref('int_invoice_totals') }}

),

-- All that was billed for it, corrections included.
of_report as (

    select
        provider,
        invoice_number,
        case when invoice_number is null then billing_date end as report_date,
        currency,
        sum(total_cost) as allocated_total
    from report_rows
    group by
        provider,
        invoice_number,
        case when invoice_number is null then billing_date end,
        currency

),

-- Files that cannot be read are rows without an amount.
of_quarantine as (

    select
        provider,
        invoice_number,
        case when invoice_number is null then billing_date end as report_date,
        currency,
        count(*) as quarantined_row_count,
        sum(total_cost) as quarantined_total
    from quarantined_rows
    group by
        provider,
        invoice_number,
        case when invoice_number is null then billing_date end,
        currency

),

of_deliveries as (

    select
        provider,
        invoice_number,
        report_date,
        currency,
        sum(replaced_total) as replaced_total,
        sum(replaced_row_count) as replaced_row_count
    from delivery_balances
    where replaced_row_count > 0
    group by provider, invoice_number, report_date, currency

),

of_invoices as (

    select
        provider,
        invoice_number,
        cast(null as date) as report_date,
        currency,
        invoice_date,
        invoice_total,
        exact_invoice_total,
        invoice_decimals,
        invoice_total_with_tax
    from invoice_totals

),

bills as (

    {% for relation in ['bill_lines', 'of_quarantine', 'of_deliveries', 'of_invoices'] %}
        select {{ bill | join(', ') }} from {{ relation }}
        {% if not loop.last %}union{% endif %}
    {% endfor %}

),

compared as (

    select
        bills.provider,
        bills.invoice_number,
        coalesce(of_invoices.invoice_date, bills.report_date, bill_lines.billing_date)
            as billing_date,
        bills.currency,
        of_invoices.invoice_total,
        of_invoices.invoice_total_with_tax,
        coalesce(bill_lines.lines_total, 0) as lines_total,
        coalesce(of_report.allocated_total, 0) as allocated_total,
        coalesce(of_quarantine.quarantined_total, 0) as quarantined_total,
        coalesce(of_deliveries.replaced_total, 0) as replaced_total,
        of_invoices.exact_invoice_total
        - coalesce(bill_lines.lines_total, 0)
        - coalesce(bill_lines.rounding_residual, 0) as variance,
        coalesce(bill_lines.line_count, 0) as line_count,
        coalesce(of_quarantine.quarantined_row_count, 0) as quarantined_row_count,
        coalesce(of_deliveries.replaced_row_count, 0) as replaced_row_count,
        coalesce(bill_lines.rounding_residual, 0) as rounding_residual,
        coalesce(bill_lines.posted_total, 0) as posted_total,
        of_invoices.invoice_decimals
    from bills
    left join bill_lines on {{ same_bill('bill_lines') }}
    left join of_report on {{ same_bill('of_report') }}
    left join of_quarantine on {{ same_bill('of_quarantine') }}
    left join of_deliveries on {{ same_bill('of_deliveries') }}
    left join of_invoices on {{ same_bill('of_invoices') }}

),

judged as (

    select
        invoice_number,
        billing_date,
        currency,
        cast(invoice_total as decimal(28, 10)) as invoice_total,
        cast(invoice_total_with_tax as decimal(28, 10)) as invoice_total_with_tax,
        cast(lines_total as decimal(28, 10)) as lines_total,
        cast(allocated_total as decimal(28, 10)) as allocated_total,
        cast(quarantined_total as decimal(28, 10)) as quarantined_total,
        cast(variance as decimal(28, 10)) as variance,
        case
            when quarantined_row_count > 0 then 'quarantined'
            when lines_total <> allocated_total then 'not_allocated'
            when line_count = 0 and invoice_total is null and invoice_total_with_tax is null
                then 'replaced'
            when invoice_total is null and invoice_total_with_tax is null then 'no_invoice'
            when line_count = 0 then 'no_lines'
            when invoice_total is null then 'tax_unknown'
            when variance = 0 then 'reconciled'
            when abs(variance) * 2 <= {{ last_decimal('invoice_decimals') }}
                then 'within_rounding'
            else 'variance'
        end as status,
        line_count,
        quarantined_row_count,
        cast(rounding_residual as decimal(38, 18)) as rounding_residual,
        provider,
        cast(lines_total + quarantined_total + replaced_total as decimal(28, 10))
            as landed_total,
        cast(replaced_total as decimal(28, 10)) as replaced_total,
        cast(replaced_row_count as bigint) as replaced_row_count,
        cast(posted_total as decimal(28, 10)) as posted_total
    from compared

)

select * from judged
