{{ config(meta={
    'partition_column': 'content_hash',
    'partitioned_by': {'new_commerce_reconciliation': 'content_hash'},
}) }}

{%- set charge = [
    key_text('customer_id'),
    key_text('subscription_id'),
    key_text('product_id'),
    key_text('sku_id'),
    key_text('charge_type'),
    key_day('charge_start_day', 'charge_start_date'),
    key_day('charge_end_day', 'charge_end_date'),
    key_text('currency'),
] -%}
with

{{ landed_typed_checked(
    'new_commerce_reconciliation',
    typed={
        'exact_quantity': decimal_value('quantity'),
        'exact_billable_quantity': decimal_value('billable_quantity'),
        'exact_unit_price': decimal_value('unit_price'),
        'exact_subtotal': decimal_value('subtotal'),
        'exact_tax_total': decimal_value('tax_total'),
        'exact_total': decimal_value('total'),
        'charge_start_day': date_value('charge_start_date'),
        'charge_end_day': date_value('charge_end_date'),
    },
    checks=[
        needs_id('InvoiceNumber', 'invoice_number'),
        needs_text('ChargeType', 'charge_type'),
        needs_id('Currency', 'currency'),
        number_if_given('Quantity', 'quantity', 'exact_quantity'),
        number_if_given('BillableQuantity', 'billable_quantity', 'exact_billable_quantity'),
        number_if_given('UnitPrice', 'unit_price', 'exact_unit_price'),
        needs_number('Subtotal', 'subtotal', 'exact_subtotal'),
        not_too_large('Quantity', 'quantity', 'exact_quantity'),
        not_too_large('BillableQuantity', 'billable_quantity', 'exact_billable_quantity'),
        not_too_large('UnitPrice', 'unit_price', 'exact_unit_price'),
        not_too_large('Subtotal', 'subtotal', 'exact_subtotal'),
        needs_date('ChargeStartDate', 'charge_start_date', 'charge_start_day'),
        needs_date('ChargeEndDate', 'charge_end_date', 'charge_end_day'),
        (
            'ChargeEndDate',
            'charge_end_date',
            'charge_end_day < charge_start_day',
            'the period ends before ChargeStartDate'
        ),
    ],
) }},

renamed as (

    select
        'new_commerce_reconciliation' as source_format,
        'license' as charge_source,
        file,
        row_number,
        content_hash,
        {{ given_id('invoice_number') }} as invoice_number,
        -- The file has no billing date; later models use the date of the invoice.
        cast(null as date) as billing_date,
        {{ id_value('customer_id') }} as customer_id,
        {{ text_value('customer_domain_name') }} as customer_domain,
        {{ text_value('customer_name') }} as customer_name,
        {{ declared_subscription(id_value('subscription_id')) }} as subscription_id,
        {{ given_id('product_id') }} as product_id,
        {{ text_value('product_name') }} as product_name,
        {{ given_id('sku_id') }} as sku_id,
        {{ text_value('charge_type') }} as charge_type,
        charge_start_day as charge_start_date,
        charge_end_day as charge_end_date,
        {{ line_details('trim(charge_type)', 'charge_start_day', 'charge_end_day') }}
            as billing_line_details,
        -- Quantity is the number of units bought. The amount is for the billable ones, such as
        -- hours of use. A credit or a tax line may have no quantity.
        {{ measure('coalesce(nullif(exact_billable_quantity, 0), exact_quantity, 0)') }}
            as billed_quantity,
        -- Line ids existed before BillableQuantity counted.
        {{ measure('coalesce(exact_quantity, 0)') }} as quantity_in_line_id,
        -- Licenses are billable as bought. Another billable quantity is metered, and a reservation
        -- is a machine.
        coalesce(
            {{ given_value('unit_type') }},
            case
                when
                    {{ given_value('reservation_order_id') }} is not null
                    or abs(nullif(exact_billable_quantity, 0)) <> abs(exact_quantity)
                    then 'Units'
            end
        ) as billed_unit,
        {{ measure('exact_unit_price') }} as unit_price,
        {{ measure('exact_subtotal') }} as total_cost,
        cast(null as decimal(28, 10)) as total_sales,
        cast(null as decimal(28, 10)) as billed_margin,
        {{ measure('coalesce(exact_tax_total, exact_total - exact_subtotal)') }} as tax_total,
        exact_subtotal - {{ measure('exact_subtotal') }} as rounding_residual,
        upper({{ given_id('currency') }}) as currency,
        {{ given_id('reference_id') }} as reference_id,
        cast(null as string) as tags,
        {{ charge_key(charge, 'exact_subtotal') }} as charge_key,
        {{ charge_key(charge, 'exact_subtotal') }} as broad_charge_key,
        cast(null as string) as provider,
        cast(null as string) as seller,
        cast(null as string) as period_key,
        {{ rejection() }}
    from checked

)

select * from renamed
