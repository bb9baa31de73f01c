{{ config(meta={
    'partition_column': 'x_BillingPeriod',
    'partitioned_by': {
        'int_focus_charges': 'billing_period',
        'int_focus_charges_amortized': 'billing_period',
    },
}) }}
{%- set own_columns = focus_amortized_columns() | reject('equalto', 'effective_cost') -%}
{%- set own_columns = own_columns | join(', ') %}

with

billed as (

    select * from {{ ref('int_focus_charges') }}

),

amortized as (

    select * from {{ ref('int_focus_charges_amortized') }}
    where is_reached

),

-- What a purchase pays for is the cost of the months in which it is used.
unioned as (

    select
        * {{ without(*focus_amortized_columns()) }},
        {{ own_columns }},
        case when is_prepaid then 0 else effective_cost end as effective_cost,
        case when is_prepaid and total_sales is not null then 0 else total_sales end
            as effective_sales,
        cast(null as string) as prepaid_line_id
    from billed
    union all
    select
        * {{ without(
            'effective_sales', 'prepaid_line_id', 'is_reached', *focus_amortized_columns()
        ) }},
        {{ own_columns }},
        effective_cost,
        effective_sales,
        prepaid_line_id
    from amortized

),

charges as (

    select
        *,
        -- FOCUS requires unit prices with a price id, and their product with the quantity.
        list_unit_price is not null and contracted_unit_price is not null as is_priced,
        charge_category = 'Usage'
        and coalesce(commitment_discount_status, '') <> 'Unused' as is_consumed
    from unioned

),

final as (

    select
        case
            when allocated_ratio is not null
                then
                    concat_ws(
                        '',
                        '{"Elements":[{"AllocatedRatio":', {{ plain_number('allocated_ratio') }},
                        case
                            when
                                allocated_method_id = 'license-split'
                                and allocated_quantity is not null
                                then
                                    concat_ws(
                                        '',
                                        ',"UsageUnit":"Licenses","UsageQuantity":',
                                        {{ plain_number('allocated_quantity') }}
                                    )
                            else ''
                        end,
                        '}]}'
                    )
        end as AllocatedMethodDetails,
        allocated_method_id as AllocatedMethodId,
        allocated_resource_id as AllocatedResourceId,
        case when allocated_resource_id is not null then cost_center_name end
            as AllocatedResourceName,
        -- Only data in the ledger is used, so a charge of a closed period does not change.
        case
            when allocated_resource_id is not null and cost_center_name_then is not null
                then
                    concat_ws(
                        '',
                        '{"apportion/name_in_split":',
                        {{ json_string('cost_center_name_then') }},
                        '}'
                    )
        end as AllocatedTags,
        {{ exact_or_cost('billed_cost') }} as BilledCost,
        organization_id as BillingAccountId,
        organization_name as BillingAccountName,
        currency as BillingCurrency,
        period_end as BillingPeriodEnd,
        period_start as BillingPeriodStart,
        charge_category as ChargeCategory,
        charge_class as ChargeClass,
        billing_line_details as ChargeDescription,
        charge_frequency as ChargeFrequency,
        {{ start_of_next_day('coalesce(charge_end_date, charge_start_date, billing_date)') }}
            as ChargePeriodEnd,
        {{ start_of_day('coalesce(charge_start_date, billing_date)') }} as ChargePeriodStart,
        commitment_discount_id as CommitmentDiscountId,
        commitment_discount_status as CommitmentDiscountStatus,
        case when is_consumed then pricing_quantity end as ConsumedQuantity,
        case when is_consumed and pricing_quantity is not null then quantity_unit end
            as ConsumedUnit,
        case
            when commitment_id is not null
                then
                    concat_ws(
                        '',
                        '{"Elements":[{"ContractId":', {{ json_string('subscription_id') }},
                        ',"ContractCommitmentId":', {{ json_string('commitment_id') }},
                        ',"ContractCommitmentAppliedQuantity":',
                        {{ plain_number('pricing_quantity') }},
                        ',"ContractCommitmentAppliedUnit":"Licenses"}]}'
                    )
        end as ContractApplied,
        {{ exact_or_cost('contracted_cost') }} as ContractedCost,
        case when is_priced then contracted_unit_price end as ContractedUnitPrice,
        {{ exact_or_cost('effective_cost') }} as EffectiveCost,
        service_provider_name as HostProviderName,
        invoice_detail_id as InvoiceDetailId,
        invoice_id as InvoiceId,
        invoice_issuer_name as InvoiceIssuerName,
        {{ exact_or_cost('list_cost') }} as ListCost,
        case when is_priced then list_unit_price end as ListUnitPrice,
        case
            when charge_category in ('Usage', 'Purchase')
                then coalesce(pricing_category, 'Standard')
            when charge_category <> 'Tax' then pricing_category
        end as PricingCategory,
        pricing_quantity as PricingQuantity,
        case when pricing_quantity is not null then quantity_unit end as PricingUnit,
        service_category as ServiceCategory,
        service_name as ServiceName,
        service_provider_name as ServiceProviderName,
        service_subcategory as ServiceSubcategory,
        sku_id as SkuId,
        -- What a license is measured in, where the bill names no meter.
        case when sku_id is not null then coalesce(sku_meter, quantity_unit, service_name) end
            as SkuMeter,
        case when is_priced then sku_price_details end as SkuPriceDetails,
        case when is_priced then coalesce(sku_price_id, sku_id) end as SkuPriceId,
        subscription_id as SubAccountId,
        subscription_name as SubAccountName,
        tags as Tags,
        billing_period as x_BillingPeriod,
        charge_kind as x_ChargeKind,
        charge_type as x_ChargeType,
        corrects_line_id as x_CorrectsLineId,
        cost_center_id as x_CostCenterId,
        cost_center_name as x_CostCenterName,
        effective_sales as x_EffectiveSales,
        {{ exact_or_cost('line_billed_cost', 'line_total_cost') }} as x_LineBilledCost,
        line_id as x_LineId,
        original_billing_period as x_OriginalBillingPeriod,
        prepaid_line_id as x_PrepaidLineId,
        invoice_number as x_ProviderInvoiceId,
        refund_of_line_id as x_RefundOfLineId,
        case
            when is_all_allocated and allocated_ratio is not null
                then {{ exact_or_cost('line_billed_cost', 'line_total_cost') }}
        end as x_SplitOriginCost,
        case
            when is_all_allocated and allocated_ratio is not null
                then concat_ws('', billing_period, '/', line_id)
        end as x_SplitOriginId,
        split_reason as x_SplitReason,
        total_margin as x_TotalMargin,
        total_sales as x_TotalSales
    from charges

)

select * from final
