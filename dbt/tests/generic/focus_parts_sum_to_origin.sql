{#-
Fails with every billing line that differs from the sum of its FOCUS charges, in either direction.
Months of prepaid purchases are no billing lines.
-#}
{% test focus_parts_sum_to_origin(model) %}

with

parts as (

    select
        x_BillingPeriod as billing_period,
        x_LineId as line_id,
        sum(BilledCost) as parts_cost,
        max(x_LineBilledCost) as origin_cost,
        count(*) as part_count,
        abs(sum(PricingQuantity)) as parts_quantity
    from {{ model }}
    where x_PrepaidLineId is null
    group by x_BillingPeriod, x_LineId

),

wholes as (

    select
        billing_period,
        line_id,
        sum(total_cost) as total_cost,
        abs(sum(quantity)) as quantity
    from {{ ref('billing_report') }}
    group by billing_period, line_id

),

validation_errors as (

    select
        coalesce(parts.line_id, wholes.line_id) as line_id,
        parts.parts_cost,
        parts.origin_cost,
        parts.parts_quantity,
        wholes.total_cost,
        wholes.quantity
    from parts
    full outer join wholes
        on
            parts.billing_period = wholes.billing_period
            and parts.line_id = wholes.line_id
    where
        parts.parts_cost is distinct from parts.origin_cost
        or wholes.total_cost is null
        -- BilledCost has decimals that a measure leaves out: half of its last decimal per row.
        or abs(parts.origin_cost - wholes.total_cost) > 0.00000000005 * parts.part_count
        -- Taxes and credits have no quantity in FOCUS.
        or (parts.parts_quantity is not null and parts.parts_quantity <> wholes.quantity)

)

select * from validation_errors

{% endtest %}
