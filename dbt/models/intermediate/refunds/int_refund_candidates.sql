{#-
The charges that a refund may refund. The provider gives no reference: the refunded charge is the latest
earlier positive line of the same subscription, product and SKU with the same end, quantity, unit price
and currency that does not begin after the refund. A line of the same period and the opposite amount
comes before all others.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}
    where is_standing

),

-- Lines of closed periods whose files are no longer in landing.
archived_lines as (

    select ledger_lines.*
    from ledger_lines
    left join billing_lines on ledger_lines.line_id = billing_lines.line_id
    where billing_lines.line_id is null

),

lines as (

    {% for relation, prefix in [('billing_lines', ''), ('archived_lines', 'line_')] %}
        select
            line_id,
            subscription_id,
            coalesce(product_id, product_name, '') as product,
            coalesce(sku_id, '') as sku_id,
            charge_kind,
            charge_start_date,
            charge_end_date,
            billing_date,
            {{ prefix }}quantity as quantity,
            abs(unit_price) as unit_price,
            currency,
            {{ prefix }}total_cost as total_cost,
            {{ prefix }}total_sales as total_sales
        from {{ relation }}
        where
            charge_kind in ('refund', 'cycle', 'extra')
            and subscription_id is not null
            -- A bill that is split already has its refunds split.
            and {{ 'split_cost_center_id' if relation == 'billing_lines' else 'null' }} is null
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

refunds as (

    select * from lines
    where charge_kind = 'refund'

),

charges as (

    select * from lines
    where charge_kind <> 'refund' and coalesce(nullif(total_cost, 0), total_sales) > 0

),

candidates as (

    select
        refunds.line_id,
        refunds.charge_start_date as refund_start_date,
        refunds.billing_date as refund_billing_date,
        charges.line_id as charge_line_id,
        charges.charge_start_date,
        charges.billing_date,
        refunds.charge_start_date = charges.charge_start_date
        and refunds.total_cost = -charges.total_cost
        -- A posted charge may have sales from the price list, which the bill does not have.
        and coalesce(refunds.total_sales = -charges.total_sales, true)
            as is_full_reversal,
        {{ surrogate_id([
            'refunds.subscription_id', 'refunds.product', 'refunds.sku_id',
            'refunds.charge_end_date', 'refunds.quantity', 'refunds.unit_price',
            'refunds.currency', 'charges.charge_start_date',
        ]) }} as terms_key
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

-- Reversals first, then the charges that begin last.
preferred as (

    select
        *,
        rank() over (
            partition by line_id
            order by is_full_reversal desc nulls last, charge_start_date desc nulls last
        ) as preference
    from candidates

)

select * from preferred
