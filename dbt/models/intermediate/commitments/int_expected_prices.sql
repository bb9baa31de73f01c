{#-
The list price of every future charge whose last bill has no sales, as of the charge's first day, so
that later prices apply from their dates.
-#}
with

expected_charges as (

    select * from {{ ref('int_expected_charges') }}

),

prices as (

    select * from {{ ref('int_prices') }}

),

focus_terms as (

    select * from {{ ref('focus_terms') }}

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates') }}

),

unpriced_charges as (

    select
        expected_charges.expected_charge_id,
        expected_charges.organization_id,
        expected_charges.product_name,
        expected_charges.product_id,
        expected_charges.sku_id,
        expected_charges.currency,
        expected_charges.quantity,
        expected_charges.charge_start_date as pricing_date,
        expected_charges.bill_month as billing_date,
        true as has_units,
        focus_terms.term_months,
        expected_charges.months_per_cycle as cycle_months
    from expected_charges
    left join focus_terms
        on
            {{ match_key('expected_charges.term_and_billing_cycle') }}
            = {{ match_key('focus_terms.term_and_billing_cycle') }}
    where expected_charges.billed_sales is null

),

{{ item_prices('unpriced_charges', 'expected_charge_id') }}

select * from priced
