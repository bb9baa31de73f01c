with

chargeback as (

    select * from {{ ref('chargeback') }}

),

reporting_rates as (

    select * from {{ ref('int_reporting_rates') }}

),

charged as (

    select
        billing_period,
        billing_period_start,
        organization_id,
        max(organization_name) as organization_name,
        cost_center_id,
        max(cost_center_name) as cost_center_name,
        currency,
        amount_basis,
        cast(sum(charged_amount) as decimal(28, 10)) as charged_amount
    from chargeback
    group by
        billing_period,
        billing_period_start,
        organization_id,
        cost_center_id,
        currency,
        amount_basis

),

final as (

    select
        charged.billing_period,
        charged.organization_id,
        charged.organization_name,
        charged.cost_center_id,
        charged.cost_center_name,
        charged.currency,
        charged.charged_amount,
        reporting_rates.exchange_rate,
        reporting_rates.exchange_rate_date,
        reporting_rates.reporting_currency,
        cast(
            {{ in_other_currency(
                'charged.charged_amount',
                'reporting_rates.multiplier',
                'reporting_rates.divisor'
            ) }} as decimal(28, 10)
        ) as charged_amount_in_reporting_currency,
        charged.amount_basis,
        charged.billing_period_start
    from charged
    inner join reporting_rates
        on
            charged.billing_period = reporting_rates.billing_period
            and charged.currency = reporting_rates.currency

)

select * from final
