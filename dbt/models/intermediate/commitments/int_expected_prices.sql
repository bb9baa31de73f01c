{#-
The list price of every charge to come whose last bill has no sales: as of its first day, so that a
price that is listed from a later day on counts from then.
-#}
with

expected_charges as (

    select * from {{ ref('int_expected_charges') }}

),

prices as (

    select * from {{ ref('int_prices') }}

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates') }}

),

unpriced_charges as (

    select
        expected_charge_id,
        organization_id,
        product_name,
        product_id,
        sku_id,
        currency,
        charge_start_date as pricing_date,
        bill_month as billing_date,
        true as has_units
    from expected_charges
    where billed_sales is null

),

{{ item_prices('unpriced_charges', 'expected_charge_id') }}

select * from priced
