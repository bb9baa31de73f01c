with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

proration as (

    select * from {{ ref('int_line_proration') }}

),

final as (

    select
        billing_lines.billing_period,
        billing_lines.billing_date,
        billing_lines.invoice_number,
        billing_lines.organization_id,
        billing_lines.organization_name,
        billing_lines.subscription_id,
        billing_lines.product_name,
        billing_lines.charge_type,
        billing_lines.charge_kind,
        billing_lines.charge_start_date,
        billing_lines.charge_end_date,
        billing_lines.line_id,
        billing_lines.quantity,
        billing_lines.unit_price,
        proration.charge_days,
        proration.cycle_days,
        billing_lines.total_cost,
        billing_lines.currency,
        cast(
            case when billing_lines.total_cost < 0 then -1 else 1 end
            * (abs(billing_lines.total_cost) - proration.proration_variance)
            as decimal(28, 10)
        ) as expected_cost,
        proration.proration_rule,
        proration.proration_variance,
        billing_lines.quantity_unit,
        {{ period_start('billing_lines.billing_period') }} as billing_period_start
    from proration
    inner join billing_lines on proration.line_id = billing_lines.line_id

)

select * from final
