{#-
Future charges with their sales, split in the same way as a bill: one row per expected charge and
cost center.
-#}
with

expected_charges as (

    select * from {{ ref('int_expected_charges') }}

),

expected_prices as (

    select * from {{ ref('int_expected_prices') }}

),

expected_renewals as (

    select * from {{ ref('int_expected_renewals') }}

),

shares as (

    select * from {{ ref('int_split_shares') }}

),

with_sales as (

    select
        expected_charges.* {{ without('billed_sales') }},
        expected_renewals.likelihood,
        expected_renewals.uncertain_likelihood,
        cast(
            case
                when expected_charges.billed_sales is not null then expected_charges.billed_sales
                when expected_charges.total_cost = 0 and expected_prices.price_source is not null
                    then 0
                when expected_prices.is_percent_of_cost
                    then
                        {{ with_percent(
                            'expected_charges.total_cost', 'expected_prices.markup_percent'
                        ) }}
                else
                    {{ prorated_price(
                        'expected_prices.sales_unit_price', 'expected_charges.quantity', '1', '1'
                    ) }}
            end as decimal(28, 10)
        ) as total_sales
    from expected_charges
    left join expected_prices
        on expected_charges.expected_charge_id = expected_prices.expected_charge_id
    left join expected_renewals
        on expected_charges.expected_charge_id = expected_renewals.expected_charge_id

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
        with_sales.likelihood,
        with_sales.uncertain_likelihood,
        shares.cost_center_id,
        shares.share,
        {{ part_for_share('with_sales.quantity', 'shares') }} as quantity,
        with_sales.quantity_unit,
        {{ part_for_share('with_sales.total_cost', 'shares') }} as total_cost,
        {{ part_for_share('with_sales.total_sales', 'shares') }} as total_sales
    from with_sales
    inner join shares on with_sales.split_id = shares.split_id

)

select * from split_charges
