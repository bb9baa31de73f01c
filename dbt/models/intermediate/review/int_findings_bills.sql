{{ config(materialized='view') }}
with

reconciliation as (

    select * from {{ ref('int_reconciled_bills') }}

),

invoices as (

    select * from {{ ref('int_invoices') }}
    where is_ambiguous

),

quarantined_rows as (

    select * from {{ ref('int_quarantined_rows') }}
    where not is_superseded

),

corrections as (

    select * from {{ ref('int_corrections') }}

),

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}

),

quarantined as (

    select
        'quarantined_rows' as kind,
        cast(null as string) as organization_id,
        cast(null as string) as subscription_id,
        {{ year_month('min(billing_date)') }} as billing_period,
        currency,
        sum(abs(coalesce(total_cost, 0))) as amount_at_stake,
        concat_ws(
            '',
            count(*), ' row(s) of ', file, ' could not be used; first reason: ', min(reason)
        ) as message
    from quarantined_rows
    group by file, currency

),

variances as (

    select
        case
            when reconciliation.line_count = 0 then 'invoice_without_lines'
            when reconciliation.invoice_total is null then 'invoice_tax_unknown'
            else 'invoice_variance'
        end as kind,
        cast(null as string) as organization_id,
        cast(null as string) as subscription_id,
        {{ year_month('reconciliation.billing_date') }} as billing_period,
        reconciliation.currency,
        abs(
            coalesce(
                reconciliation.variance,
                reconciliation.invoice_total_with_tax - reconciliation.lines_total
            )
        ) as amount_at_stake,
        concat_ws(
            '',
            'invoice ', reconciliation.invoice_number,
            case
                when invoices.invoice_number is not null
                    then
                        ' is one of several providers; name its provider in the column Provider of'
                        || ' the list of invoices'
                when reconciliation.invoice_total is null
                    then
                        concat_ws(
                            '',
                            ' has a total with tax of ',
                            {{ plain_number('reconciliation.invoice_total_with_tax') }},
                            ', its lines add up to ',
                            {{ plain_number('reconciliation.lines_total') }},
                            case
                                when reconciliation.line_count > 0
                                    then
                                        ' before tax and do not state their tax; add Subtotal or'
                                        || ' Tax Total to the list of invoices'
                                else ''
                            end
                        )
                else
                    concat_ws(
                        '',
                        ' has a total of ',
                        {{ plain_number('reconciliation.invoice_total') }},
                        ', its lines add up to ',
                        {{ plain_number('reconciliation.lines_total') }}
                    )
            end
        ) as message
    from reconciliation
    left join invoices
        on
            reconciliation.invoice_number = invoices.invoice_number
            and reconciliation.currency = invoices.currency
            and reconciliation.provider is null
    where
        (
            reconciliation.invoice_total is not null
            or reconciliation.invoice_total_with_tax is not null
        )
        and reconciliation.status not in ('reconciled', 'within_rounding')

),

unapplied as (

    select
        'correction_not_applied' as kind,
        cast(null as string) as organization_id,
        corrections.subscription_id,
        corrections.billing_period,
        cast(null as string) as currency,
        cast(0 as decimal(28, 10)) as amount_at_stake,
        concat_ws(
            '',
            'the correction approved by ', max(corrections.approved_by), ' is for ',
            corrections.billing_period,
            case
                when sum(corrections.allocated_quantity) = 0 then ' and allocates no licenses'
                else
                    ', which is not closed or has no line of this subscription;'
                    || ' for an open period, change the split history instead'
            end
        ) as message
    from corrections
    left join ledger_lines
        on
            corrections.subscription_id = ledger_lines.subscription_id
            and corrections.billing_period = ledger_lines.original_billing_period
    group by corrections.subscription_id, corrections.billing_period
    having max(ledger_lines.line_id) is null or sum(corrections.allocated_quantity) = 0

)

select * from quarantined
union all
select * from variances
union all
select * from unapplied
