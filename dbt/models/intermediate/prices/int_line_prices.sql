{#- The list price of each unposted line without sales on its bill, as of the day it is priced. -#}
with

billing_lines as (

    select * from {{ ref('int_unposted_lines') }}

),

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}

),

refund_links as (

    select * from {{ ref('int_refund_links') }}

),

prices as (

    select * from {{ ref('int_prices') }}

),

line_terms as (

    select * from {{ ref('int_line_terms') }}

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates') }}

),

charges as (

    {% for relation in ['billing_lines', 'ledger_lines'] %}
        select
            line_id,
            charge_start_date,
            billing_date
        from {{ relation }}
        {% if not loop.last %}union{% endif %}
    {% endfor %}

),

charge_days as (

    select
        line_id,
        max(charge_start_date) as charge_start_date,
        max(billing_date) as billing_date
    from charges
    group by line_id

),

-- A refund returns what was charged: it has the price and the exchange rate of its charge.
unpriced_lines as (

    select
        billing_lines.line_id,
        billing_lines.organization_id,
        billing_lines.product_name,
        billing_lines.product_id,
        billing_lines.sku_id,
        billing_lines.currency,
        billing_lines.quantity,
        line_terms.term_months,
        line_terms.cycle_months,
        coalesce(charge_days.charge_start_date, billing_lines.charge_start_date)
            as pricing_date,
        coalesce(charge_days.billing_date, billing_lines.billing_date) as billing_date,
        -- Credits and taxes have no units to price; only a percentage applies to them.
        billing_lines.charge_kind not in ('credit', 'tax') as has_units
    from billing_lines
    left join refund_links on billing_lines.line_id = refund_links.line_id
    left join charge_days on refund_links.refund_of_line_id = charge_days.line_id
    left join line_terms on billing_lines.line_id = line_terms.line_id
    where billing_lines.total_sales is null

),

{{ item_prices('unpriced_lines', 'line_id') }}

select * from priced
