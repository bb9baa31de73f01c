{{ config(meta={
    'partition_column': 'content_hash',
    'partitioned_by': {'daily_rated_usage': 'content_hash'},
}) }}

{%- set charge = [
    key_text('customer_id'),
    key_text('subscription_id'),
    key_text('product_id'),
    key_text('sku_id'),
    key_day('usage_day', 'usage_date'),
    key_text('billing_currency'),
] -%}
{%- set details = [
    key_text('entitlement_id'),
    key_text('meter_id'),
    key_text('resource_uri'),
    key_text('resource_group'),
    key_text('resource_location'),
    key_text('charge_type'),
    key_text('unit'),
    key_text('credit_type'),
    key_text('benefit_id'),
] -%}
with

{{ landed_typed_checked(
    'daily_rated_usage',
    typed={
        'exact_quantity': decimal_value('quantity'),
        'exact_unit_price': decimal_value('unit_price'),
        'exact_pre_tax_total': decimal_value('billing_pre_tax_total'),
        'charge_start_day': date_value('charge_start_date'),
        'charge_end_day': date_value('charge_end_date'),
        'usage_day': date_value('usage_date'),
    },
    checks=[
        needs_id('InvoiceNumber', 'invoice_number'),
        needs_id('BillingCurrency', 'billing_currency'),
        number_if_given('Quantity', 'quantity', 'exact_quantity'),
        number_if_given('UnitPrice', 'unit_price', 'exact_unit_price'),
        needs_number('BillingPreTaxTotal', 'billing_pre_tax_total', 'exact_pre_tax_total'),
        not_too_large('Quantity', 'quantity', 'exact_quantity'),
        not_too_large('UnitPrice', 'unit_price', 'exact_unit_price'),
        not_too_large(
            'BillingPreTaxTotal',
            'billing_pre_tax_total',
            'exact_pre_tax_total'
        ),
        needs_date('UsageDate', 'usage_date', 'usage_day'),
        needs_date('ChargeStartDate', 'charge_start_date', 'charge_start_day'),
        needs_date('ChargeEndDate', 'charge_end_date', 'charge_end_day'),
    ],
) }},

renamed as (

    select
        'daily_rated_usage' as source_format,
        'usage' as charge_source,
        file,
        row_number,
        content_hash,
        {{ given_id('invoice_number') }} as invoice_number,
        cast(null as date) as billing_date,
        {{ id_value('customer_id') }} as customer_id,
        {{ text_value('customer_domain_name') }} as customer_domain,
        {{ text_value('customer_name') }} as customer_name,
        {{ declared_subscription(id_value('subscription_id')) }} as subscription_id,
        {{ given_id('product_id') }} as product_id,
        {{ text_value('product_name') }} as product_name,
        {{ given_id('sku_id') }} as sku_id,
        coalesce({{ text_value('charge_type') }}, 'usage') as charge_type,
        -- The charge period is the whole month; the usage is of this day.
        usage_day as charge_start_date,
        usage_day as charge_end_date,
        concat_ws(
            ', ',
            concat_ws('', 'usage of ', cast(usage_day as string)),
            {{ text_value('meter_category') }},
            {{ text_value('meter_name') }},
            {{ text_value('resource_group') }}
        ) as billing_line_details,
        {{ measure('coalesce(exact_quantity, 0)') }} as billed_quantity,
        coalesce({{ given_value('unit') }}, {{ given_value('unit_type') }}) as billed_unit,
        {{ measure('exact_unit_price') }} as unit_price,
        {{ measure('exact_pre_tax_total') }} as total_cost,
        cast(null as decimal(28, 10)) as total_sales,
        cast(null as decimal(28, 10)) as billed_margin,
        exact_pre_tax_total - {{ measure('exact_pre_tax_total') }} as rounding_residual,
        upper({{ given_id('billing_currency') }}) as currency,
        {{ given_id('meter_id') }} as reference_id,
        {{ text_value('tags') }} as tags,
        {{ charge_key(charge + details, 'exact_pre_tax_total') }} as charge_key,
        {{ charge_key(charge, 'exact_pre_tax_total') }} as broad_charge_key,
        cast(null as string) as provider,
        cast(null as string) as seller,
        cast(null as string) as period_key,
        {{ rejection() }}
    from checked

)

select * from renamed
