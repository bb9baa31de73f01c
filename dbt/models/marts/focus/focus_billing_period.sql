with

charges as (

    select * from {{ ref('int_focus_charges') }}

),

final as (

    select
        {{ start_of_day('period_start_date') }} as BillingPeriodCreated,
        cast({{ dbt.dateadd('month', 1, 'period_start_date') }} as timestamp)
            as BillingPeriodEnd,
        -- Dates come from the bills, not from the clock, so the same files give the same rows on
        -- any day.
        greatest(
            {{ start_of_day('max(billing_date)') }},
            {{ start_of_day('period_start_date') }},
            coalesce(max(closed_at), {{ start_of_day('period_start_date') }})
        ) as BillingPeriodLastUpdated,
        {{ start_of_day('period_start_date') }} as BillingPeriodStart,
        case when max(closed_at) is null then 'Open' else 'Closed' end as BillingPeriodStatus,
        invoice_issuer_name as InvoiceIssuerName,
        billing_period as x_BillingPeriod
    from charges
    group by period_start_date, billing_period, invoice_issuer_name

)

select * from final
