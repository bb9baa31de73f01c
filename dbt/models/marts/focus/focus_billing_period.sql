with

charges as (

    select
        period_start,
        period_end,
        billing_period,
        billing_date,
        closed_at,
        invoice_issuer_name
    from {{ ref('int_focus_charges') }}
    union all
    select
        period_start,
        period_end,
        billing_period,
        billing_date,
        closed_at,
        invoice_issuer_name
    from {{ ref('int_focus_charges_amortized') }}
    where is_reached

),

final as (

    select
        period_start as BillingPeriodCreated,
        period_end as BillingPeriodEnd,
        -- Dates come from the bills, not from the clock, so the same files give the same rows on
        -- any day.
        greatest(
            {{ start_of_day('max(billing_date)') }},
            period_start,
            coalesce(max(closed_at), period_start)
        ) as BillingPeriodLastUpdated,
        period_start as BillingPeriodStart,
        -- Its charges may be in the reports of several months.
        case when count(*) = count(closed_at) then 'Closed' else 'Open' end as BillingPeriodStatus,
        invoice_issuer_name as InvoiceIssuerName,
        max(billing_period) as x_BillingPeriod
    from charges
    group by period_start, period_end, invoice_issuer_name

)

select * from final
