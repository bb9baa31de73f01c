{#-
Every billing line with its sales: from the bill, else from the price list, prorated by the same
share of the cycle as the cost. Without a price, sales are null, never zero.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

line_prices as (

    select * from {{ ref('int_line_prices') }}

),

line_days as (

    select * from {{ ref('int_line_days') }}

),

joined as (

    select
        billing_lines.*,
        line_prices.* exclude (line_id, unit_price),
        line_prices.unit_price as list_unit_price,
        -- A full charge has the price of the whole cycle, regardless of its days.
        line_days.line_id is null
        or coalesce(
            billing_lines.unit_price * billing_lines.quantity = abs(billing_lines.total_cost)
            and billing_lines.source_format <> 'legacy_license_based',
            false
        ) as is_whole_cycle,
        line_days.charge_days,
        line_days.cycle_days
    from billing_lines
    left join line_prices on billing_lines.line_id = line_prices.line_id
    left join line_days on billing_lines.line_id = line_days.line_id

),

prorated as (

    select
        *,
        case when is_whole_cycle then 1 else charge_days end as priced_days,
        case when is_whole_cycle then 1 else cycle_days end as priced_cycle_days
    from joined

),

with_sales as (

    select
        *,
        case
            when total_sales is not null then total_sales
            -- A line without cost, for example an extended trial, is sold at zero by an
            -- organization with prices.
            when total_cost = 0 and price_source is not null then 0
            -- A tax is passed on at cost.
            when is_percent_of_cost and charge_kind = 'tax' then total_cost
            when is_percent_of_cost then {{ with_percent('total_cost', 'markup_percent') }}
            -- Without a quantity on the bill there is no price.
            when quantity > 0
                then
                    {{ prorated_price(
                        'sales_unit_price', 'quantity', 'priced_days', 'priced_cycle_days'
                    ) }}
                    * case when total_cost < 0 then -1 else 1 end
        end as sales
    from prorated

),

sourced as (

    select
        *,
        case
            when total_sales is not null then 'bill'
            when total_cost = 0 and price_source is not null then 'free_of_charge'
            when is_percent_of_cost and charge_kind = 'tax' then 'passed_on'
            when sales is not null then price_source
        end as source_of_price
    from with_sales

),

explained as (

    select
        * exclude (
            total_sales, total_margin, sales, price_source, source_of_price, price_id,
            markup_percent, percent_base, offer, price_currency, sales_unit_price, rate_date,
            valid_from_date, is_ambiguous, is_percent_of_cost, list_unit_price, is_whole_cycle,
            charge_days, cycle_days, priced_days, priced_cycle_days
        ),
        cast(sales as decimal(28, 10)) as total_sales,
        cast(sales - total_cost as decimal(28, 10)) as total_margin,
        source_of_price as price_source,
        -- "customer_price from 2025-07-01: 30 EUR at 1.1 of 2026-01-02 = 33 x 18 / 31 days x 8"
        case
            when
                source_of_price is null
                or source_of_price in ('bill', 'free_of_charge', 'passed_on')
                then null
            else
                concat(
                    source_of_price,
                    case when offer is not null then concat(' "', offer, '"') else '' end,
                    ' from ', cast(valid_from_date as varchar), ': ',
                    case
                        when is_percent_of_cost
                            then
                                concat(
                                    'cost ', {{ plain_number('total_cost') }}, ' plus ',
                                    {{ plain_number('markup_percent') }}, ' percent'
                                )
                        else
                            concat(
                                {{ plain_number('list_unit_price') }}, ' ', price_currency,
                                case
                                    when markup_percent is not null
                                        then
                                            concat(
                                                ' (list plus ',
                                                {{ plain_number('markup_percent') }}, ' percent)'
                                            )
                                    else ''
                                end,
                                case
                                    when price_currency <> currency
                                        then
                                            concat(
                                                ' at the rate of ', cast(rate_date as varchar),
                                                ' = ', {{ plain_number('sales_unit_price') }},
                                                ' ', currency
                                            )
                                    else ''
                                end,
                                case
                                    when priced_cycle_days = 1 then ''
                                    else
                                        concat(
                                            ' x ', priced_days, ' / ', priced_cycle_days, ' days'
                                        )
                                end,
                                ' x ', {{ plain_number('quantity') }}
                            )
                    end
                )
        end as price_explanation
    from sourced

)

select * from explained
