{{ config(materialized='view') }}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

line_prices as (

    select * from {{ ref('int_line_prices') }}

),

prices as (

    select * from {{ ref('int_prices') }}

),

line_sales as (

    select * from {{ ref('int_line_sales') }}

),

-- Without a price list there are no sales, and therefore no findings.
price_list as (

    select count(*) > 0 as is_there
    from prices

),

with_lines as (

    select
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.billing_period,
        billing_lines.billing_date,
        billing_lines.currency,
        billing_lines.product_name,
        billing_lines.sku_id,
        billing_lines.total_cost,
        line_sales.total_sales,
        line_prices.price_source,
        line_prices.price_currency,
        line_prices.sales_unit_price,
        line_prices.rate_date,
        line_prices.valid_from_date,
        line_prices.is_ambiguous,
        line_prices.is_term_open
    from line_prices
    inner join billing_lines on line_prices.line_id = billing_lines.line_id
    inner join line_sales on line_prices.line_id = line_sales.line_id

),

without_price as (

    select
        'no_price' as kind,
        with_lines.organization_id,
        cast(null as string) as subscription_id,
        with_lines.billing_period,
        with_lines.currency,
        sum(abs(with_lines.total_cost)) as amount_at_stake,
        concat_ws(
            '',
            'no price for "', with_lines.product_name, '"',
            case
                when with_lines.sku_id is not null
                    then concat_ws('', ' (SKU ', with_lines.sku_id, ')')
                else ''
            end,
            case
                when max(case when with_lines.is_term_open then 1 else 0 end) = 1
                    then
                        ', because its prices depend on the term and the bill has no'
                        || ' TermAndBillingCycle'
                else ''
            end,
            ': ', count(*), ' line(s) have no sales'
        ) as message
    from with_lines
    cross join price_list
    where
        price_list.is_there
        and with_lines.total_sales is null
        -- A price in a currency without a rate is the finding below.
        and (with_lines.price_currency is null or with_lines.sales_unit_price is not null)
    group by
        with_lines.organization_id,
        with_lines.billing_period,
        with_lines.currency,
        with_lines.product_name,
        with_lines.sku_id

),

without_rate as (

    select
        'no_exchange_rate' as kind,
        organization_id,
        cast(null as string) as subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat_ws(
            '',
            'the price of "', product_name, '" is in ', price_currency, ', the bill in ',
            currency, ', and no exchange rate is known for ', cast(billing_date as string),
            ' or before: ', count(*), ' line(s) have no sales'
        ) as message
    from with_lines
    where total_sales is null and price_currency is not null and sales_unit_price is null
    group by
        organization_id, billing_period, billing_date, currency, product_name, price_currency

),

old_rates as (

    select
        'old_exchange_rate' as kind,
        organization_id,
        cast(null as string) as subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat_ws(
            '',
            'the rate of ', cast(rate_date as string), ' from ', price_currency, ' to ',
            currency, ' was used for the bill of ', cast(billing_date as string)
        ) as message
    from with_lines
    where
        price_currency <> currency
        and total_sales is not null
        and rate_date < {{ dbt.dateadd('month', -1, 'billing_date') }}
    group by organization_id, billing_period, billing_date, currency, price_currency, rate_date

),

ambiguous as (

    select
        'ambiguous_price' as kind,
        organization_id,
        cast(null as string) as subscription_id,
        billing_period,
        currency,
        sum(abs(total_cost)) as amount_at_stake,
        concat_ws(
            '',
            'more than one ', price_source, ' for "', product_name, '" from ',
            cast(valid_from_date as string), ': ', count(*),
            ' line(s) use the one written last'
        ) as message
    from with_lines
    where is_ambiguous and total_sales is not null and total_cost <> 0
    group by
        organization_id, billing_period, currency, product_name, price_source, valid_from_date

)

select * from without_price
union all
select * from without_rate
union all
select * from old_rates
union all
select * from ambiguous
