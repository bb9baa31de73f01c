{#-
The sales price of every line whose bill has none, and of every charge to come likewise: one row per
such line, whether a price was found or not. Lines that are alike in what a price depends on are
priced once.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where total_sales is null

),

refund_links as (

    select * from {{ ref('int_refund_links') }}

),

charges as (

    select
        line_id,
        charge_start_date,
        billing_date
    from {{ ref('int_billing_lines') }}
    union
    select
        line_id,
        charge_start_date,
        billing_date
    from {{ ref('int_ledger_lines') }}

),

charge_days as (

    select
        line_id,
        max(charge_start_date) as charge_start_date,
        max(billing_date) as billing_date
    from charges
    group by line_id

),

prices as (

    select * from {{ ref('int_prices') }}

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates') }}

),

expected_charges as (

    select * from {{ ref('int_expected_charges') }}
    where billed_sales is null

),

-- A refund gives back what was charged: the price and the rate as of the charge it refunds.
billed_lines as (

    select
        billing_lines.line_id,
        billing_lines.organization_id,
        billing_lines.product_name,
        billing_lines.product_id,
        billing_lines.sku_id,
        billing_lines.currency,
        coalesce(charge_days.charge_start_date, billing_lines.charge_start_date)
            as pricing_date,
        coalesce(charge_days.billing_date, billing_lines.billing_date) as billing_date,
        -- A price is for what is bought or used; credits and taxes can be passed on by percentage.
        billing_lines.charge_kind not in ('credit', 'tax') as has_units
    from billing_lines
    left join refund_links on billing_lines.line_id = refund_links.line_id
    left join charge_days on refund_links.refund_of_line_id = charge_days.line_id

),

lines as (

    select * from billed_lines
    union all by name
    select
        expected_charge_id as line_id,
        organization_id,
        product_name,
        product_id,
        sku_id,
        currency,
        charge_start_date as pricing_date,
        bill_month as billing_date,
        true as has_units
    from expected_charges

),

items as (

    select
        {{ surrogate_id([
            'organization_id', 'product_name', 'product_id', 'sku_id', 'pricing_date',
            'billing_date', 'currency', 'has_units',
        ]) }} as item_id,
        organization_id,
        product_name,
        product_id,
        sku_id,
        pricing_date,
        billing_date,
        currency,
        has_units
    from lines
    group by
        organization_id,
        product_name,
        product_id,
        sku_id,
        pricing_date,
        billing_date,
        currency,
        has_units

),

-- What a price list may call the product by.
item_keys as (

    select
        item_id,
        'product' as price_is_for,
        lower(product_name) as product_key
    from items
    union
    select
        item_id,
        'product' as price_is_for,
        lower(product_id) as product_key
    from items
    union
    select
        item_id,
        'sku' as price_is_for,
        {{ match_key('sku_id') }} as product_key
    from items
    union
    select
        item_id,
        'sku' as price_is_for,
        {{ match_key("concat(product_id, sku_id)") }} as product_key
    from items
    where sku_id is not null
    union
    select
        item_id,
        'all' as price_is_for,
        '*' as product_key
    from items

),

candidates as (

    select
        items.item_id,
        items.currency as line_currency,
        items.billing_date,
        prices.*,
        row_number() over (
            partition by items.item_id
            order by
                prices.price_rank,
                prices.detail_rank,
                prices.valid_from_date desc,
                prices.currency = items.currency desc,
                prices.modified_at desc,
                prices.file desc,
                prices.row_number desc
        ) as best_first,
        row_number() over (
            partition by items.item_id, prices.price_source
            order by
                prices.detail_rank,
                prices.valid_from_date desc,
                prices.currency = items.currency desc,
                prices.modified_at desc,
                prices.file desc,
                prices.row_number desc
        ) as best_of_source,
        count(*) over (
            partition by
                items.item_id,
                prices.price_rank,
                prices.detail_rank,
                prices.currency,
                prices.valid_from_date
        ) > 1 as is_ambiguous
    from items
    inner join item_keys on items.item_id = item_keys.item_id
    inner join prices
        on
            item_keys.price_is_for = prices.price_is_for
            and item_keys.product_key = prices.product_key
            and items.organization_id = coalesce(prices.organization_id, items.organization_id)
            and items.pricing_date >= prices.valid_from_date
            and items.pricing_date <= coalesce(prices.valid_to_date, date '9999-12-31')
    where
        (prices.markup_percent is not null or items.has_units)
        -- A row for a product and a SKU is for both.
        and (
            prices.sku_id is null
            or prices.product_name is null
            or lower(prices.product_name) in (lower(items.product_name), lower(items.product_id))
        )

),

chosen as (

    select * from candidates
    where best_first = 1

),

list_prices as (

    select
        item_id,
        unit_price,
        currency
    from candidates
    where price_source = 'global_price' and best_of_source = 1

),

-- A percentage of the list is a price too.
based as (

    select
        chosen.* exclude (unit_price, currency),
        case
            when chosen.markup_percent is null then chosen.currency
            when chosen.percent_base = 'list' then list_prices.currency
        end as price_currency,
        case
            when chosen.markup_percent is null then chosen.unit_price
            when chosen.percent_base = 'list'
                then {{ with_percent('list_prices.unit_price', 'chosen.markup_percent') }}
        end as unit_price
    from chosen
    left join list_prices on chosen.item_id = list_prices.item_id

),

converted as (

    select
        based.*,
        exchange_rates.rate_date,
        case
            when based.price_currency = based.line_currency then based.unit_price
            else
                {{ in_other_currency(
                    'based.unit_price', 'exchange_rates.multiplier', 'exchange_rates.divisor'
                ) }}
        end as sales_unit_price
    from based
    left join exchange_rates
        on
            based.price_currency = exchange_rates.from_currency
            and based.line_currency = exchange_rates.to_currency
            and based.billing_date >= exchange_rates.valid_from_date
            and based.billing_date < exchange_rates.valid_to_date

),

priced as (

    select
        lines.line_id,
        converted.price_id,
        converted.price_source,
        converted.markup_percent,
        converted.percent_base,
        converted.offer,
        converted.price_currency,
        converted.unit_price,
        converted.sales_unit_price,
        converted.rate_date,
        converted.valid_from_date,
        converted.is_ambiguous,
        coalesce(converted.percent_base, 'cost') = 'cost' and converted.markup_percent is not null
            as is_percent_of_cost
    from lines
    left join converted
        on
            {{ surrogate_id([
                'lines.organization_id', 'lines.product_name', 'lines.product_id',
                'lines.sku_id', 'lines.pricing_date', 'lines.billing_date',
                'lines.currency', 'lines.has_units',
            ]) }} = converted.item_id

)

select * from priced
