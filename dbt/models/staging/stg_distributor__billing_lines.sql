{{ config(meta={
    'partition_column': 'content_hash',
    'partitioned_by': {'distributor_bill': 'content_hash'},
}) }}

{%- set charge = [
    key_text('product_name'),
    key_text('charge_type'),
    key_day('charge_start_day', 'charge_start_date'),
    key_day('charge_end_day', 'charge_end_date'),
    key_text('currency'),
] -%}
{%- set details = [
    key_text('customer_id'),
    key_text('customer_domain'),
    key_text('customer_name'),
    key_text('organization'),
    key_text('subscription_id'),
    key_text('product_id'),
    key_text('sku_id'),
] -%}
with

{{ landed_typed_checked(
    'distributor_bill',
    typed={
        'exact_quantity': decimal_value('quantity'),
        'exact_unit_price': decimal_value('unit_price'),
        'exact_total_cost': decimal_value('total_cost'),
        'exact_total_sales': decimal_value('total_sales'),
        'exact_total_margin': decimal_value('total_margin'),
        'charge_start_day': date_value('charge_start_date'),
        'charge_end_day': date_value('charge_end_date'),
        'billing_day': date_value('billing_date'),
    },
    checks=[
        needs_text('Product Name', 'product_name'),
        needs_text('Charge Type', 'charge_type'),
        needs_id('Currency', 'currency'),
        (
            'Invoice Number',
            'invoice_number',
            given_id('invoice_number') ~ ' is null and ' ~ given_value('billing_date')
            ~ ' is null',
            'is empty, and so is Billing Date'
        ),
        number_if_given('Quantity', 'quantity', 'exact_quantity'),
        number_if_given('Unit Price', 'unit_price', 'exact_unit_price'),
        needs_number('Total Cost', 'total_cost', 'exact_total_cost'),
        number_if_given('Total Sales', 'total_sales', 'exact_total_sales'),
        number_if_given('Total Margin', 'total_margin', 'exact_total_margin'),
        not_too_large('Quantity', 'quantity', 'exact_quantity'),
        not_too_large('Unit Price', 'unit_price', 'exact_unit_price'),
        not_too_large('Total Cost', 'total_cost', 'exact_total_cost'),
        not_too_large('Total Sales', 'total_sales', 'exact_total_sales'),
        not_too_large('Total Margin', 'total_margin', 'exact_total_margin'),
        needs_date('Charge Start Date', 'charge_start_date', 'charge_start_day'),
        needs_date('Charge End Date', 'charge_end_date', 'charge_end_day'),
        date_if_given('Billing Date', 'billing_date', 'billing_day'),
        (
            'Charge End Date',
            'charge_end_date',
            'charge_end_day < charge_start_day',
            'the period ends before Charge Start Date'
        ),
    ],
) }},

renamed as (

    select
        'distributor_bill' as source_format,
        'license' as charge_source,
        file,
        row_number,
        content_hash,
        {{ given_id('invoice_number') }} as invoice_number,
        billing_day as billing_date,
        coalesce({{ id_value('customer_id') }}, {{ text_value('organization') }}) as customer_id,
        {{ text_value('customer_domain') }} as customer_domain,
        coalesce({{ text_value('customer_name') }}, {{ text_value('organization') }})
            as customer_name,
        {{ declared_subscription(id_value('subscription_id')) }} as subscription_id,
        {{ given_id('product_id') }} as product_id,
        {{ text_value('product_name') }} as product_name,
        {{ given_id('sku_id') }} as sku_id,
        {{ text_value('charge_type') }} as charge_type,
        charge_start_day as charge_start_date,
        charge_end_day as charge_end_date,
        {{ line_details('trim(charge_type)', 'charge_start_day', 'charge_end_day') }}
            as billing_line_details,
        {{ measure('coalesce(exact_quantity, 0)') }} as billed_quantity,
        {{ given_value('unit') }} as billed_unit,
        {{ measure('exact_unit_price') }} as unit_price,
        {{ measure('exact_total_cost') }} as total_cost,
        {{ measure('exact_total_sales') }} as total_sales,
        {{ measure('exact_total_margin') }} as billed_margin,
        exact_total_cost - {{ measure('exact_total_cost') }} as rounding_residual,
        upper({{ given_id('currency') }}) as currency,
        {{ given_id('reference_id') }} as reference_id,
        cast(null as string) as tags,
        {{ charge_key(charge + details, 'exact_total_cost') }} as charge_key,
        {{ charge_key(charge, 'exact_total_cost') }} as broad_charge_key,
        {{ given_id('distributor') }} as provider,
        {{ given_id('distributor') }} as seller,
        cast(null as string) as period_key,
        {{ rejection() }}
    from checked

)

select * from renamed
