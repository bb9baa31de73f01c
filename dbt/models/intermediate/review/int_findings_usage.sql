{{ config(materialized='view') }}
with

line_fates as (

    select * from {{ ref('int_line_fates') }}

),

periods as (

    select
        provider,
        invoice_number,
        max(billing_period) as billing_period
    from {{ ref('int_billing_lines') }}
    where invoice_number is not null
    group by provider, invoice_number

),

-- The sum line of an invoice and the days that replace it rarely differ by more than rounding.
usage_totals as (

    select
        provider,
        invoice_number,
        subscription_id,
        product_id,
        currency,
        sum(case when fate = 'usage_in_detail' then total_cost end) as sum_cost,
        sum(
            case when fate = 'billed' and charge_source = 'usage' then total_cost end
        ) as days_cost
    from line_fates
    where
        invoice_number is not null
        and (fate = 'usage_in_detail' or (fate = 'billed' and charge_source = 'usage'))
    group by provider, invoice_number, subscription_id, product_id, currency

),

usage_differs as (

    select
        'usage_sum_differs' as kind,
        cast(null as string) as organization_id,
        usage_totals.subscription_id,
        periods.billing_period,
        usage_totals.currency,
        abs(sum_cost - days_cost) as amount_at_stake,
        concat_ws(
            '',
            'invoice ',
            usage_totals.invoice_number,
            ' sums up usage of ',
            {{ plain_number('sum_cost') }},
            '; the days that replace it add up to ', {{ plain_number('days_cost') }}
        ) as message
    from usage_totals
    left join periods
        on
            usage_totals.provider is not distinct from periods.provider
            and usage_totals.invoice_number = periods.invoice_number
    where abs(sum_cost - days_cost) >= 0.01

)

select * from usage_differs
