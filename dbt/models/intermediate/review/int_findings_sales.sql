{{ config(materialized='view') }}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

line_sales as (

    select * from {{ ref('int_line_sales') }}

),

sold as (

    select
        billing_lines.organization_id,
        billing_lines.billing_period,
        billing_lines.currency,
        billing_lines.product_name,
        billing_lines.total_cost,
        line_sales.total_sales,
        case
            when line_sales.total_sales < billing_lines.total_cost then 'sold_below_cost'
            when
                line_sales.total_sales
                > billing_lines.total_cost * {{ var('sold_above_cost_factor') }}
                then 'sold_far_above_cost'
        end as kind
    from billing_lines
    inner join line_sales on billing_lines.line_id = line_sales.line_id
    where
        billing_lines.total_cost > 0
        -- A sale below cost by a share of the cost is a decision, as a discount is.
        and coalesce(line_sales.price_source, 'bill')
        not in ('passed_on', 'customer_percent', 'global_percent')

),

sold_against_cost as (

    select
        kind,
        organization_id,
        cast(null as string) as subscription_id,
        billing_period,
        currency,
        sum(abs(total_sales - total_cost)) as amount_at_stake,
        concat_ws(
            '',
            '"', product_name, '" costs ', {{ plain_number('sum(total_cost)') }},
            ' and is sold for ', {{ plain_number('sum(total_sales)') }}, ': ', count(*),
            ' line(s); check the price, its quantity and the term that it is for'
        ) as message
    from sold
    where kind is not null
    group by kind, organization_id, billing_period, currency, product_name

)

select * from sold_against_cost
