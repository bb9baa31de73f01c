{{ config(meta={
    'partition_column': 'x_BillingPeriod',
    'partitioned_by': {'int_focus_charges': 'billing_period'},
}) }}

with

charges as (

    select * from {{ ref('int_focus_charges') }}
    where invoice_detail_id is not null

),

details as (

    select
        invoice_detail_id,
        invoice_id,
        billing_period,
        period_start,
        period_end,
        organization_id,
        currency,
        charge_category,
        subscription_id,
        service_name,
        sku_id,
        invoice_issuer_name,
        max(billing_date) as billing_date,
        max(payment_days) as payment_days,
        max(closed_at) as closed_at,
        cast(sum({{ exact_or_cost('billed_cost') }}) as decimal(38, 18)) as billed_cost
    from charges
    group by
        invoice_detail_id,
        invoice_id,
        billing_period,
        period_start,
        period_end,
        organization_id,
        currency,
        charge_category,
        subscription_id,
        service_name,
        sku_id,
        invoice_issuer_name

),

final as (

    select
        billed_cost as BilledCost,
        organization_id as BillingAccountId,
        currency as BillingCurrency,
        period_end as BillingPeriodEnd,
        period_start as BillingPeriodStart,
        charge_category as ChargeCategory,
        {{ start_of_day('billing_date') }} as InvoiceDetailCreated,
        service_name as InvoiceDetailDescription,
        concat_ws(
            '',
            '{"ServiceName":', {{ json_string('service_name') }},
            case
                when sku_id is not null then concat_ws('', ',"SkuId":', {{ json_string('sku_id') }})
                else ''
            end,
            case
                when subscription_id is not null
                    then concat_ws('', ',"SubAccountId":', {{ json_string('subscription_id') }})
                else ''
            end,
            '}'
        ) as InvoiceDetailGrain,
        invoice_detail_id as InvoiceDetailId,
        greatest(
            {{ start_of_day('billing_date') }},
            coalesce(closed_at, {{ start_of_day('billing_date') }})
        ) as InvoiceDetailLastUpdated,
        invoice_id as InvoiceId,
        {{ start_of_day('billing_date') }} as InvoiceIssueDate,
        -- Only issued bills land.
        'Issued' as InvoiceIssueStatus,
        invoice_issuer_name as InvoiceIssuerName,
        cast({{ dbt.dateadd('day', 'payment_days', 'billing_date') }} as timestamp)
            as PaymentDueDate,
        concat_ws('', 'Net ', cast(payment_days as string)) as PaymentTerms,
        invoice_id as ReferenceInvoiceId,
        billing_period as x_BillingPeriod
    from details

)

select * from final
