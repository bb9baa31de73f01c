{{ config(meta={
    'partition_column': 'content_hash',
    'partitioned_by': {'focus_cost_and_usage': 'content_hash'},
}) }}
{%- set charge = focus_charge_parts() -%}
{%- set details = focus_detail_parts() -%}
with

landed as (

    {{ landed_rows('focus_cost_and_usage') }}

),

with_texts as (

    select
        *,
        coalesce({{ given_value('pricing_quantity') }}, {{ given_value('consumed_quantity') }})
            as quantity_text,
        coalesce(
            {{ given_value('contracted_unit_price') }}, {{ given_value('list_unit_price') }}
        ) as unit_price_text,
        -- A row of our own export is the part of one cost center.
        {{ given_id('x_line_id') }} is not null
        and {{ given_value('x_billing_period') }} is not null
        and {{ given_id('x_cost_center_id') }} is not null as is_split,
        concat_ws('', {{ given_value('x_billing_period') }}, '-01') as report_month_text
    from landed

),

{{ typed_and_checked(
    'with_texts',
    typed={
        'exact_billed_cost': decimal_value('billed_cost'),
        'exact_quantity': decimal_value('quantity_text'),
        'exact_unit_price': decimal_value('unit_price_text'),
        'exact_total_sales': decimal_value('x_total_sales'),
        'charge_start_instant': instant_value('charge_period_start'),
        'charge_end_instant': instant_value('charge_period_end'),
        'exact_effective_cost': decimal_value('effective_cost'),
        'exact_list_cost': decimal_value('list_cost'),
        'exact_contracted_cost': decimal_value('contracted_cost'),
        'billing_period_start_day': date_value('billing_period_start'),
        'billing_period_end_day': date_value('billing_period_end'),
        'report_month': date_value('report_month_text'),
    },
    checks=[
        needs_id('BillingAccountId', 'billing_account_id'),
        needs_text('ChargeCategory', 'charge_category'),
        needs_id('BillingCurrency', 'billing_currency'),
        needs_number('BilledCost', 'billed_cost', 'exact_billed_cost'),
        number_if_given('PricingQuantity', 'quantity_text', 'exact_quantity'),
        number_if_given('x_TotalSales', 'x_total_sales', 'exact_total_sales'),
        not_too_large('x_TotalSales', 'x_total_sales', 'exact_total_sales'),
        not_too_large('BilledCost', 'billed_cost', 'exact_billed_cost'),
        not_too_large('PricingQuantity', 'quantity_text', 'exact_quantity'),
    ] + amounts_if_given([
        ('EffectiveCost', 'effective_cost', 'exact_effective_cost'),
        ('ListCost', 'list_cost', 'exact_list_cost'),
        ('ContractedCost', 'contracted_cost', 'exact_contracted_cost'),
    ]) + [
        needs_date('ChargePeriodStart', 'charge_period_start', 'charge_start_instant'),
        needs_date('ChargePeriodEnd', 'charge_period_end', 'charge_end_instant'),
        (
            'ChargePeriodEnd',
            'charge_period_end',
            'charge_end_instant < charge_start_instant',
            'the period ends before ChargePeriodStart'
        ),
        needs_date('BillingPeriodEnd', 'billing_period_end', 'billing_period_end_day'),
        date_if_given('BillingPeriodStart', 'billing_period_start', 'billing_period_start_day'),
        (
            'BillingPeriodEnd',
            'billing_period_end',
            'billing_period_end_day <= billing_period_start_day',
            'the period ends before BillingPeriodStart'
        ),
        (
            'x_BillingPeriod',
            'x_billing_period',
            'is_split and report_month is null',
            'is not a month; write 2026-01'
        ),
    ],
) }},

-- FOCUS ends are exclusive: the last day is that of the moment before.
with_days as (

    select
        *,
        cast(charge_start_instant as date) as charge_start_day,
        greatest(
            cast(charge_start_instant as date),
            cast({{ dbt.dateadd('second', -1, 'charge_end_instant') }} as date)
        ) as charge_end_day,
        case
            when lower(trim(charge_category)) = 'purchase'
                then concat_ws(' ', trim(charge_category), {{ text_value('charge_frequency') }})
            else trim(charge_category)
        end as charge_type
    from checked

),

renamed as (

    select
        'focus_cost_and_usage' as source_format,
        'FOCUS' as charge_source,
        file,
        row_number,
        content_hash,
        {{ given_id('invoice_id') }} as invoice_number,
        -- The end of the billing period; for an invoice, its date counts. A split
        -- bill stays in the period in which it was reported.
        case
            when is_split then {{ dbt.last_day('report_month', 'month') }}
            when {{ given_id('invoice_id') }} is null then billing_period_end_day
        end as billing_date,
        {{ id_value('billing_account_id') }} as customer_id,
        cast(null as string) as customer_domain,
        {{ text_value('billing_account_name') }} as customer_name,
        {{ declared_subscription(focus_subscription()) }} as subscription_id,
        {{ text_value('service_name') }} as product_id,
        -- The description is left out, because providers print prices in it.
        coalesce({{ text_value('service_name') }}, charge_type) as product_name,
        {{ given_id('sku_id') }} as sku_id,
        charge_type,
        charge_start_day as charge_start_date,
        charge_end_day as charge_end_date,
        coalesce(
            {{ text_value('charge_description') }},
            {{ line_details('charge_type', 'charge_start_day', 'charge_end_day') }}
        ) as billing_line_details,
        {{ measure('coalesce(exact_quantity, 0)') }} as billed_quantity,
        -- The unit of the quantity that is read.
        case
            when {{ given_value('pricing_quantity') }} is not null
                then {{ given_value('pricing_unit') }}
            else {{ given_value('consumed_unit') }}
        end as billed_unit,
        {{ measure('exact_unit_price') }} as unit_price,
        {{ measure('exact_billed_cost') }} as total_cost,
        case when is_split then {{ measure('exact_total_sales') }} end as total_sales,
        cast(null as decimal(28, 10)) as billed_margin,
        -- Tax is a charge of its own.
        cast(0 as decimal(28, 10)) as tax_total,
        exact_billed_cost - {{ measure('exact_billed_cost') }} as rounding_residual,
        upper({{ given_id('billing_currency') }}) as currency,
        case
            when is_split
                then concat_ws(
                    '/', {{ given_value('x_billing_period') }},
                    {{ given_id('x_line_id') }},
                    {{ given_id('x_cost_center_id') }}
                )
            else {{ given_id('resource_id') }}
        end as reference_id,
        {{ text_value('tags') }} as tags,
        {{ text_value('allocated_tags') }} as allocated_tags,
        {{ given_id('allocated_resource_id') }} as allocated_resource_id,
        case when is_split then {{ given_id('x_cost_center_id') }} end as split_cost_center_id,
        case when is_split then {{ text_value('x_cost_center_name') }} end
            as split_cost_center_name,
        -- A part without a resource is unallocated, or a correction of one.
        is_split
        and {{ given_id('allocated_resource_id') }} is null
        and coalesce({{ given_id('allocated_method_id') }}, '') <> 'approved-correction'
            as is_split_unallocated,
        {{ charge_key(charge + details, 'exact_billed_cost') }} as charge_key,
        {{ charge_key(charge, 'exact_billed_cost') }} as broad_charge_key,
        -- An invoice belongs to its issuer, even for the charges of other providers.
        coalesce(
            case
                when {{ given_id('invoice_id') }} is not null
                    then {{ given_id('invoice_issuer_name') }}
            end,
            {{ given_id('provider_name') }},
            {{ given_id('service_provider_name') }},
            {{ given_id('invoice_issuer_name') }}
        ) as provider,
        coalesce(
            {{ given_id('provider_name') }},
            {{ given_id('service_provider_name') }},
            {{ given_id('invoice_issuer_name') }}
        ) as seller,
        coalesce(
            case when is_split then cast(report_month as string) end,
            {{ key_day('billing_period_start_day', 'billing_period_start') }},
            {{ key_day('billing_period_end_day', 'billing_period_end') }}
        ) as period_key,
        {{ rejection() }}
    from with_days

)

select * from renamed
