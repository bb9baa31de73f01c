{#-
The sales of every unposted billing line: the bill's own, else the list price, prorated by the same
share of the cycle as the cost. A line without a price has no sales, never sales of zero.
-#}
with

billing_lines as (

    select * from {{ ref('int_unposted_lines') }}

),

line_prices as (

    select * from {{ ref('int_line_prices') }}

),

line_days as (

    select * from {{ ref('int_line_days') }}

),

joined as (

    select
        billing_lines.line_id,
        billing_lines.charge_kind,
        billing_lines.quantity,
        billing_lines.currency,
        billing_lines.total_cost,
        billing_lines.total_sales as billed_sales,
        line_prices.price_source as list_price_source,
        line_prices.offer,
        line_prices.valid_from_date,
        line_prices.markup_percent,
        line_prices.is_percent_of_cost,
        line_prices.unit_price,
        line_prices.price_currency,
        line_prices.rate_date,
        line_prices.sales_unit_price,
        line_days.charge_days,
        line_days.cycle_days,
        -- A line billed in full costs as much as the whole cycle, whatever its days. A measured
        -- quantity contains the days.
        line_days.line_id is null
        or (
            billing_lines.source_format = 'new_commerce_reconciliation'
            and billing_lines.quantity % 1 <> 0
        )
        or coalesce(
            billing_lines.unit_price * billing_lines.quantity = abs(billing_lines.total_cost)
            and billing_lines.source_format <> 'legacy_license_based',
            false
        ) as is_whole_cycle
    from billing_lines
    left join line_prices on billing_lines.line_id = line_prices.line_id
    left join line_days on billing_lines.line_id = line_days.line_id

),

with_days as (

    select
        *,
        case when is_whole_cycle then 1 else charge_days end as priced_days,
        case when is_whole_cycle then 1 else cycle_days end as priced_cycle_days
    from joined

),

sold as (

    select
        *,
        case
            when billed_sales is not null then billed_sales
            -- A line that costs nothing, such as a longer trial, is sold for nothing.
            when total_cost = 0 and list_price_source is not null then 0
            -- A tax is passed on unchanged.
            when is_percent_of_cost and charge_kind = 'tax' then total_cost
            when is_percent_of_cost then {{ with_percent('total_cost', 'markup_percent') }}
            -- Without a quantity there are no units to price, and the sales are unknown.
            when quantity > 0
                then
                    {{ prorated_price(
                        'sales_unit_price', 'quantity', 'priced_days', 'priced_cycle_days'
                    ) }}
                    * case when total_cost < 0 then -1 else 1 end
        end as total_sales
    from with_days

),

sourced as (

    select
        *,
        case
            when billed_sales is not null then 'bill'
            when total_cost = 0 and list_price_source is not null then 'free_of_charge'
            when is_percent_of_cost and charge_kind = 'tax' then 'passed_on'
            when total_sales is not null then list_price_source
        end as price_source
    from sold

),

final as (

    select
        line_id,
        cast(total_sales as decimal(28, 10)) as total_sales,
        cast(total_sales - total_cost as decimal(28, 10)) as total_margin,
        price_source,
        {{ price_explanation('sourced') }} as price_explanation
    from sourced

)

select * from final
