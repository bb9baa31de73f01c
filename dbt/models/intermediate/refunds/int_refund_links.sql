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

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}
    where is_standing

),

-- Of closed periods also lines whose files are gone.
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
        where charge_kind in ('refund', 'cycle', 'extra') and subscription_id is not null
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
        -- Of a posted charge the sales may be ours, of which the bill says nothing.
        and coalesce(refunds.total_sales = -charges.total_sales, true)
            as is_full_reversal,
        {{ surrogate_id([
            'refunds.subscription_id', 'refunds.product', 'refunds.sku_id',
            'refunds.charge_end_date', 'refunds.quantity', 'refunds.unit_price',
            'refunds.currency', 'charges.charge_start_date',
        ]) }} as twins_key
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

-- The charges a refund may refund: reversals first, else those that begin last.
preferred as (

    select
        *,
        rank() over (
            partition by line_id
            order by is_full_reversal desc, charge_start_date desc
        ) as preference
    from candidates

),

-- Several charges may be alike in all of that. Then charges pile up as they are billed, and each
-- refund takes the topmost: so no charge is refunded twice while its twin is not.
refunds_of_twins as (

    select
        line_id,
        twins_key,
        max(refund_start_date) as start_date,
        max(refund_billing_date) as billing_date,
        true as is_refund
    from preferred
    where preference = 1
    group by line_id, twins_key

),

charges_of_twins as (

    select
        candidates.charge_line_id as line_id,
        candidates.twins_key,
        max(candidates.charge_start_date) as start_date,
        max(candidates.billing_date) as billing_date,
        false as is_refund
    from candidates
    inner join refunds_of_twins on candidates.twins_key = refunds_of_twins.twins_key
    group by candidates.charge_line_id, candidates.twins_key

),

twins as (

    select * from charges_of_twins
    union all
    select * from refunds_of_twins

),

piled as (

    select
        *,
        row_number() over (
            partition by twins_key
            order by
                billing_date,
                is_refund,
                start_date,
                case when is_refund then line_id end,
                line_id desc
        ) as position,
        sum(case when is_refund then -1 else 1 end) over (
            partition by twins_key
            order by
                billing_date,
                is_refund,
                start_date,
                case when is_refund then line_id end,
                line_id desc
            rows between unbounded preceding and current row
        ) as height
    from twins

),

-- The topmost charge is the last that made the pile as high as it was before the refund. Once all
-- are taken, the latest is taken again, which findings tell of.
taken as (

    select
        preferred.line_id,
        preferred.charge_line_id,
        preferred.is_full_reversal,
        row_number() over (
            partition by preferred.line_id
            order by
                coalesce(charge.height = refund.height + 1, false) desc,
                charge.position desc
        ) as topmost_first
    from preferred
    inner join piled as refund
        on
            preferred.line_id = refund.line_id
            and preferred.twins_key = refund.twins_key
            and refund.is_refund
    inner join piled as charge
        on
            preferred.charge_line_id = charge.line_id
            and preferred.twins_key = charge.twins_key
            and not charge.is_refund
            and charge.position < refund.position
    where preferred.preference = 1

)

select
    line_id,
    charge_line_id as refund_of_line_id,
    is_full_reversal
from taken
where topmost_first = 1
