{#-
The charges to come with their sales, split as a bill would split them: one row per expected charge
and cost center.
-#}
with

expected_charges as (

    select * from {{ ref('int_expected_charges') }}

),

line_prices as (

    select * from {{ ref('int_line_prices') }}

),

shares as (

    select * from {{ ref('int_split_shares') }}

),

with_sales as (

    select
        expected_charges.* exclude (billed_sales),
        cast(
            case
                when expected_charges.billed_sales is not null then expected_charges.billed_sales
                when expected_charges.total_cost = 0 and line_prices.price_source is not null
                    then 0
                when line_prices.is_percent_of_cost
                    then
                        {{ with_percent(
                            'expected_charges.total_cost', 'line_prices.markup_percent'
                        ) }}
                else
                    {{ prorated_price(
                        'line_prices.sales_unit_price', 'expected_charges.quantity', '1', '1'
                    ) }}
            end as decimal(28, 10)
        ) as total_sales
    from expected_charges
    left join line_prices on expected_charges.expected_charge_id = line_prices.line_id

),

split_charges as (

    select
        with_sales.expected_charge_id,
        with_sales.origin_month,
        with_sales.is_latest,
        with_sales.bill_month,
        with_sales.organization_id,
        with_sales.organization_name,
        with_sales.subscription_id,
        with_sales.product_name,
        with_sales.currency,
        with_sales.charge_start_date,
        with_sales.charge_end_date,
        with_sales.commitment,
        with_sales.term_end_date,
        shares.cost_center_id,
        shares.share,
        {{ prorated_part(
            'with_sales.quantity',
            'shares.low_units',
            'shares.high_units',
            'shares.total_units',
            'shares.narrow_limit'
        ) }} as quantity,
        {{ prorated_part(
            'with_sales.total_cost',
            'shares.low_units',
            'shares.high_units',
            'shares.total_units',
            'shares.narrow_limit'
        ) }} as total_cost,
        {{ prorated_part(
            'with_sales.total_sales',
            'shares.low_units',
            'shares.high_units',
            'shares.total_units',
            'shares.narrow_limit'
        ) }} as total_sales
    from with_sales
    inner join shares on with_sales.split_id = shares.split_id

)

select * from split_charges
