{{ config(meta={
    'partition_column': 'content_hash',
    'partitioned_by': {'broker_report': 'content_hash'},
}) }}

{%- set charge = [
    key_text('subscription_id'),
    key_text('product_name'),
    key_text('charge_type_text'),
    key_day('charge_start_day', 'charge_start_date'),
    key_day('period_end_day', 'period_end_text'),
    key_text('currency'),
] -%}
with

landed as (

    {{ landed_rows('broker_report') }}

),

-- "addQuantity. From 17 Dec 2025 to 27 Dec 2025 (11 days)"
worded as (

    select
        *,
        split_part(billing_line_details, 'From ', 1) as type_words,
        split_part(billing_line_details, 'From ', 2) as period_words
    from landed

),

parsed as (

    select
        * {{ without('type_words', 'period_words') }},
        trim(trailing '. ' from trim(type_words)) as charge_type_text,
        split_part(period_words, ' to ', 1) as period_start_text,
        split_part(split_part(period_words, ' to ', 2), '(', 1) as period_end_text
    from worded

),

{{ typed_and_checked(
    'parsed',
    typed={
        'exact_quantity': decimal_value('quantity'),
        'exact_total_cost': decimal_value('total_cost'),
        'exact_total_sales': decimal_value('total_sales'),
        'exact_total_margin': decimal_value('total_margin'),
        'charge_start_day': date_value('charge_start_date'),
        'period_start_day': date_value('period_start_text'),
        'period_end_day': date_value('period_end_text'),
        'billing_day': date_value('billing_date'),
    },
    checks=[
        needs_id('Subscription ID', 'subscription_id'),
        needs_text('ProductName', 'product_name'),
        needs_number('Quantity', 'quantity', 'exact_quantity'),
        needs_number('TotalCost', 'total_cost', 'exact_total_cost'),
        number_if_given('TotalSales', 'total_sales', 'exact_total_sales'),
        number_if_given('TotalMargin', 'total_margin', 'exact_total_margin'),
        not_too_large('Quantity', 'quantity', 'exact_quantity'),
        not_too_large('TotalCost', 'total_cost', 'exact_total_cost'),
        not_too_large('TotalSales', 'total_sales', 'exact_total_sales'),
        not_too_large('TotalMargin', 'total_margin', 'exact_total_margin'),
        needs_date('ChargeStartDate', 'charge_start_date', 'charge_start_day'),
        needs_date('BillingDate', 'billing_date', 'billing_day'),
        (
            'BillingLineDetails',
            'billing_line_details',
            "coalesce(charge_type_text, '') = '' or coalesce(period_end_text, '') = ''",
            'does not contain a charge type and period like: addQuantity. From 17 Dec 2025 to'
            ~ ' 27 Dec 2025 (11 days)'
        ),
        (
            'BillingLineDetails',
            'billing_line_details',
            'period_start_day is null or period_end_day is null',
            'contains a day that is not a date in an unambiguous format; write the period like:'
            ~ ' From 17 Dec 2025 to 27 Dec 2025'
        ),
        (
            'BillingLineDetails',
            'billing_line_details',
            'period_end_day < charge_start_day',
            'the period ends before ChargeStartDate'
        ),
    ],
) }},

renamed as (

    select
        'broker_report' as source_format,
        'license' as charge_source,
        file,
        row_number,
        content_hash,
        cast(null as string) as invoice_number,
        billing_day as billing_date,
        {{ text_value('organization') }} as customer_id,
        cast(null as string) as customer_domain,
        {{ text_value('organization') }} as customer_name,
        {{ declared_subscription(id_value('subscription_id')) }} as subscription_id,
        cast(null as string) as product_id,
        {{ text_value('product_name') }} as product_name,
        {{ given_id('sku') }} as sku_id,
        {{ text_value('charge_type_text') }} as charge_type,
        charge_start_day as charge_start_date,
        period_end_day as charge_end_date,
        trim(billing_line_details) as billing_line_details,
        {{ measure('exact_quantity') }} as billed_quantity,
        cast(null as string) as billed_unit,
        cast(null as decimal(28, 10)) as unit_price,
        {{ measure('exact_total_cost') }} as total_cost,
        {{ measure('exact_total_sales') }} as total_sales,
        {{ measure('exact_total_margin') }} as billed_margin,
        exact_total_cost - {{ measure('exact_total_cost') }} as rounding_residual,
        upper({{ given_id('currency') }}) as currency,
        cast(null as string) as reference_id,
        cast(null as string) as tags,
        {{ charge_key(charge, 'exact_total_cost') }} as charge_key,
        {{ charge_key(charge, 'exact_total_cost') }} as broad_charge_key,
        cast(null as string) as provider,
        cast(null as string) as seller,
        cast(null as string) as period_key,
        {{ rejection() }}
    from checked

)

select * from renamed
