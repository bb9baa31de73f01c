{#-
The CTEs that find the sales price of every row of the CTE `items`, whose key is the column `key`;
the last of them, `priced`, has one row per item, whether a price was found or not.

`items` needs the columns organization_id, product_name, product_id, sku_id, currency, quantity,
pricing_date (the day on which the price must be valid), billing_date (the day of the exchange
rate), has_units (whether a price per unit applies), term_months and cycle_months (of the purchased
term and of one bill, null if unknown). The model imports int_prices as `prices` and
int_exchange_rates as `exchange_rates`.
-#}
{% macro item_prices(items, key) -%}
{%- set price_grounds = [
    'organization_id',
    'product_name',
    'product_id',
    'sku_id',
    'currency',
    'pricing_date',
    'billing_date',
    'has_units',
    'term_months',
    'cycle_months',
    'tier_quantity',
] -%}
price_tiers as (

    select coalesce(max(minimum_quantity), 1) > 1 as are_listed
    from prices

),

-- Prices depend on quantities only if a list has prices for larger ones.
items_with_tiers as (

    select
        {{ items }}.*,
        case when price_tiers.are_listed then {{ items }}.quantity end as tier_quantity
    from {{ items }}
    cross join price_tiers

),

-- Items with equal values in all columns that a price depends on are priced once, as a group.
grouped_items as (

    select
        {{ key }},
        {{ surrogate_id(price_grounds) }} as group_id,
        {{ price_grounds | join(',\n        ') }}
    from items_with_tiers

),

item_groups as (

    select
        group_id,
        {{ price_grounds | join(',\n        ') }}
    from grouped_items
    group by
        group_id,
        {{ price_grounds | join(',\n        ') }}

),

-- The names a price list may use for the product.
group_keys as (

    select
        group_id,
        'product' as price_is_for,
        lower(product_name) as product_key
    from item_groups
    union
    select
        group_id,
        'product' as price_is_for,
        lower(product_id) as product_key
    from item_groups
    union
    select
        group_id,
        'sku' as price_is_for,
        {{ match_key('sku_id') }} as product_key
    from item_groups
    union
    select
        group_id,
        'sku' as price_is_for,
        {{ match_key("concat_ws('', product_id, sku_id)") }} as product_key
    from item_groups
    where sku_id is not null
    union
    select
        group_id,
        'all' as price_is_for,
        '*' as product_key
    from item_groups

),

candidates as (

    select
        item_groups.group_id,
        item_groups.currency as item_currency,
        item_groups.billing_date,
        prices.price_id,
        prices.price_source,
        prices.offer,
        prices.markup_percent,
        prices.percent_base,
        prices.unit_price,
        prices.currency,
        prices.valid_from_date,
        row_number() over (
            partition by item_groups.group_id
            order by
                prices.price_rank nulls last,
                {{ _newest_price_first() }}
        ) as best_first,
        row_number() over (
            partition by item_groups.group_id, prices.price_source
            order by
                {{ _newest_price_first() }}
        ) as best_of_source,
        count(*) over (
            partition by
                item_groups.group_id,
                prices.price_rank,
                prices.detail_rank,
                prices.term_months is null,
                coalesce(prices.minimum_quantity, 1),
                prices.currency,
                prices.valid_from_date
        ) > 1 as is_ambiguous,
        -- Prices of several terms differ, and the bill does not state its term.
        item_groups.term_months is null
        and min(prices.term_months) over {{ _alike() }} < max(prices.term_months) over {{ _alike() }}
        and min(prices.unit_price) over {{ _alike() }} < max(prices.unit_price) over {{ _alike() }}
            as is_term_open
    from item_groups
    inner join group_keys on item_groups.group_id = group_keys.group_id
    inner join prices
        on
            group_keys.price_is_for = prices.price_is_for
            and group_keys.product_key = prices.product_key
            and item_groups.organization_id
            = coalesce(prices.organization_id, item_groups.organization_id)
            and item_groups.pricing_date >= prices.valid_from_date
            and item_groups.pricing_date <= coalesce(prices.valid_to_date, date '9999-12-31')
    where
        (prices.markup_percent is not null or item_groups.has_units)
        and (
            prices.term_months is null
            or prices.term_months = coalesce(item_groups.term_months, prices.term_months)
        )
        and (prices.cycle_months is null or prices.cycle_months = item_groups.cycle_months)
        and coalesce(prices.minimum_quantity, 1)
        <= greatest(coalesce(item_groups.tier_quantity, 1), 1)
        -- A row for a product and a SKU applies to both.
        and (
            prices.sku_id is null
            or prices.product_name is null
            or lower(prices.product_name)
            in (lower(item_groups.product_name), lower(item_groups.product_id))
        )

),

list_prices as (

    select
        group_id,
        unit_price,
        currency
    from candidates
    where price_source = 'global_price' and best_of_source = 1 and not is_term_open

),

-- A percentage of the list price is a price per unit too.
unit_prices as (

    select
        candidates.group_id,
        candidates.item_currency,
        candidates.billing_date,
        candidates.price_id,
        candidates.price_source,
        candidates.offer,
        candidates.markup_percent,
        candidates.percent_base,
        candidates.valid_from_date,
        candidates.is_ambiguous,
        candidates.is_term_open,
        case
            when candidates.is_term_open then null
            when candidates.markup_percent is null then candidates.currency
            when candidates.percent_base = 'list' then list_prices.currency
        end as price_currency,
        case
            when candidates.is_term_open then null
            when candidates.markup_percent is null then candidates.unit_price
            when candidates.percent_base = 'list'
                then {{ with_percent('list_prices.unit_price', 'candidates.markup_percent') }}
        end as unit_price
    from candidates
    left join list_prices on candidates.group_id = list_prices.group_id
    where candidates.best_first = 1

),

converted as (

    select
        unit_prices.*,
        exchange_rates.rate_date,
        case
            when unit_prices.price_currency = unit_prices.item_currency
                then unit_prices.unit_price
            else
                {{ in_other_currency(
                    'unit_prices.unit_price',
                    'exchange_rates.multiplier',
                    'exchange_rates.divisor'
                ) }}
        end as sales_unit_price
    from unit_prices
    left join exchange_rates
        on
            unit_prices.price_currency = exchange_rates.from_currency
            and unit_prices.item_currency = exchange_rates.to_currency
            and unit_prices.billing_date >= exchange_rates.valid_from_date
            and unit_prices.billing_date < exchange_rates.valid_to_date

),

priced as (

    select
        grouped_items.{{ key }},
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
        coalesce(converted.is_term_open, false) as is_term_open,
        coalesce(converted.percent_base, 'cost') = 'cost' and converted.markup_percent is not null
            as is_percent_of_cost
    from grouped_items
    left join converted on grouped_items.group_id = converted.group_id

)
{%- endmacro %}

{#- The prices of one rank and currency that are for a term. -#}
{% macro _alike() -%}
    (
            partition by
                item_groups.group_id,
                prices.price_rank,
                prices.detail_rank,
                prices.term_months is null,
                coalesce(prices.minimum_quantity, 1),
                prices.currency
        )
{%- endmacro %}

{#-
The order of prices of one rank: the most specific, that of a term, that of the largest quantity, the
latest, the file written last.
-#}
{% macro _newest_price_first() -%}
    prices.detail_rank nulls last,
                case when prices.term_months is null then 2 else 1 end nulls last,
                coalesce(prices.minimum_quantity, 1) desc nulls last,
                prices.valid_from_date desc nulls last,
                prices.currency = item_groups.currency desc nulls last,
                prices.modified_at desc nulls last,
                prices.file desc nulls last,
                prices.row_number desc nulls last
{%- endmacro %}
