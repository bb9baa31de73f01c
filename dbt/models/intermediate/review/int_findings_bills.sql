with

reconciliation as (

    select * from {{ ref('int_reconciled_bills') }}

),

landed_invoices as (

    select * from {{ ref('int_landed_invoices') }}

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
        cast(null as varchar) as organization_id,
        cast(null as varchar) as subscription_id,
        {{ year_month('min(billing_date)') }} as billing_period,
        currency,
        sum(abs(coalesce(total_cost, 0))) as amount_at_stake,
        concat(
            count(*), ' row(s) of ', file, ' could not be used; first reason: ', min(reason)
        ) as message
    from quarantined_rows
    group by file, currency

),

variances as (

    select
        case
            when line_count = 0 then 'invoice_without_lines' else 'invoice_variance'
        end as kind,
        cast(null as varchar) as organization_id,
        cast(null as varchar) as subscription_id,
        {{ year_month('billing_date') }} as billing_period,
        currency,
        abs(variance) as amount_at_stake,
        concat(
            'invoice ', invoice_number, ' has a total of ', {{ plain_number('invoice_total') }},
            ', its lines add up to ', {{ plain_number('lines_total') }}
        ) as message
    from reconciliation
    where invoice_total is not null and status not in ('reconciled', 'within_rounding')

),

reissued as (

    select
        'invoice_reissued' as kind,
        cast(null as varchar) as organization_id,
        cast(null as varchar) as subscription_id,
        cast(null as varchar) as billing_period,
        cast(null as varchar) as currency,
        cast(0 as decimal(28, 10)) as amount_at_stake,
        concat(
            'invoice ', invoice_number, ' is in ', count(distinct delivery), ' deliveries; ',
            string_agg(case when is_current then file end, ', ' order by file),
            ' counts, ',
            string_agg(case when not is_current then file end, ', ' order by file),
            ' does not; if these are parts of one invoice, combine them in one file'
        ) as message
    from landed_invoices
    group by invoice_number, is_usage
    having count(distinct delivery) > 1

),

unapplied as (

    select
        'correction_not_applied' as kind,
        cast(null as varchar) as organization_id,
        corrections.subscription_id,
        corrections.billing_period,
        cast(null as varchar) as currency,
        cast(0 as decimal(28, 10)) as amount_at_stake,
        concat(
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
select * from reissued
union all
select * from unapplied
