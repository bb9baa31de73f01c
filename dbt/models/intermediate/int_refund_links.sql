{#-
The charge a refund refunds. The provider gives no reference to it: it is the latest earlier
positive line of the same subscription, product and SKU with the same end, quantity, unit price
and currency that does not begin after the refund; a line of the very same period and opposite
amount goes before all others.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

-- Lines that are alike in all that links them; the second refund takes the second charge.
numbered as (

    select
        line_id,
        subscription_id,
        coalesce(product_id, product_name, '') as product,
        coalesce(sku_id, '') as sku_id,
        charge_kind,
        charge_start_date,
        charge_end_date,
        billing_date,
        quantity,
        abs(unit_price) as unit_price,
        currency,
        total_cost,
        total_sales,
        row_number() over (
            partition by
                charge_kind = 'refund', subscription_id, product_id, product_name, sku_id,
                charge_start_date, charge_end_date, quantity, abs(unit_price), currency
            order by billing_date, total_cost, line_id
        ) as twin_number
    from billing_lines
    where charge_kind in ('refund', 'cycle', 'extra') and subscription_id is not null

),

refunds as (

    select * from numbered
    where charge_kind = 'refund'

),

charges as (

    select * from numbered
    where charge_kind <> 'refund' and coalesce(nullif(total_cost, 0), total_sales) > 0

),

candidates as (

    select
        refunds.line_id,
        charges.line_id as refund_of_line_id,
        refunds.charge_start_date = charges.charge_start_date
        and refunds.total_cost = -charges.total_cost
        and coalesce(refunds.total_sales, 0) = -coalesce(charges.total_sales, 0)
            as is_full_reversal,
        charges.charge_start_date,
        charges.billing_date,
        refunds.twin_number as refund_number,
        charges.twin_number as charge_number
    from refunds
    inner join charges
        on
            refunds.subscription_id = charges.subscription_id
            and refunds.charge_end_date = charges.charge_end_date
            and refunds.product = charges.product
            and refunds.sku_id = charges.sku_id
            and refunds.quantity = charges.quantity
            and refunds.currency = charges.currency
            and refunds.unit_price is not distinct from charges.unit_price
            and refunds.charge_start_date >= charges.charge_start_date
            and refunds.billing_date >= charges.billing_date

),

ranked as (

    select
        *,
        row_number() over (
            partition by line_id
            order by
                is_full_reversal desc,
                charge_start_date desc,
                billing_date desc,
                charge_number = refund_number desc,
                charge_number desc,
                refund_of_line_id
        ) as latest_first
    from candidates

)

select
    line_id,
    refund_of_line_id,
    is_full_reversal
from ranked
where latest_first = 1
