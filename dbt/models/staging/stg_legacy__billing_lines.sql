{{ config(meta={
    'partition_column': 'content_hash',
    'partitioned_by': {'legacy_license_based': 'content_hash'},
}) }}

{%- set charge = [
    key_text('customer_id'),
    key_text('subscription_id'),
    key_text('offer_name'),
    key_text('charge_type'),
    key_day('charge_start_day', 'charge_start_date'),
    key_day('charge_end_day', 'charge_end_date'),
    key_text('currency'),
] -%}
with

{{ landed_typed_checked(
    'legacy_license_based',
    typed={
        'exact_quantity': decimal_value('quantity'),
        'exact_unit_price': decimal_value('unit_price'),
        'exact_subtotal': decimal_value('subtotal'),
        'exact_tax': decimal_value('tax'),
        'exact_total': decimal_value('total_for_customer'),
        'charge_start_day': date_value('charge_start_date'),
        'charge_end_day': date_value('charge_end_date'),
        'billing_day': date_value('billing_date'),
    },
    checks=[
        needs_id('SubscriptionId', 'subscription_id'),
        needs_text('ChargeType', 'charge_type'),
        needs_id('Currency', 'currency'),
        number_if_given('Quantity', 'quantity', 'exact_quantity'),
        number_if_given('UnitPrice', 'unit_price', 'exact_unit_price'),
        needs_number('Subtotal', 'subtotal', 'exact_subtotal'),
        not_too_large('Quantity', 'quantity', 'exact_quantity'),
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
        date_if_given('BillingDate', 'billing_date', 'billing_day'),
    ],
) }},

renamed as (

    select
        'legacy_license_based' as source_format,
        'license' as charge_source,
        file,
        row_number,
        content_hash,
        {{ given_id('invoice_number') }} as invoice_number,
        billing_day as billing_date,
        {{ id_value('customer_id') }} as customer_id,
        {{ text_value('domain_name') }} as customer_domain,
        {{ text_value('customer_name') }} as customer_name,
        -- Microsoft's SubscriptionId is internal to its billing. Splits are kept by the number that
        -- the portal shows, SyndicationPartnerSubscriptionNumber.
        {{ declared_subscription(
            'coalesce(' ~ id_value('syndication_partner_subscription_number') ~ ', '
            ~ id_value('subscription_id') ~ ')'
        ) }} as subscription_id,
        -- Price lists identify the offer by its durable id.
        coalesce({{ id_value('durable_offer_id') }}, {{ id_value('offer_id') }}) as product_id,
        {{ text_value('offer_name') }} as product_name,
        coalesce({{ id_value('durable_offer_id') }}, {{ id_value('offer_id') }}) as sku_id,
        {{ text_value('charge_type') }} as charge_type,
        charge_start_day as charge_start_date,
        charge_end_day as charge_end_date,
        {{ line_details('trim(charge_type)', 'charge_start_day', 'charge_end_day') }}
            as billing_line_details,
        {{ measure('coalesce(exact_quantity, 0)') }} as billed_quantity,
        cast(null as string) as billed_unit,
        {{ measure('exact_unit_price') }} as unit_price,
        -- After discounts and before tax.
        {{ measure('exact_subtotal') }} as total_cost,
        cast(null as decimal(28, 10)) as total_sales,
        cast(null as decimal(28, 10)) as billed_margin,
        {{ measure('coalesce(exact_tax, exact_total - exact_subtotal)') }} as tax_total,
        exact_subtotal - {{ measure('exact_subtotal') }} as rounding_residual,
        upper({{ given_id('currency') }}) as currency,
        cast(null as string) as reference_id,
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
