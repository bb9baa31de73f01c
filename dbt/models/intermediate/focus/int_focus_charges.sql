{#-
The bill's rows in FOCUS terms. A view, because each mart stores only the columns that it needs.
-#}
{{ config(materialized='view') }}

with

allocations as (

    select * from {{ ref('int_focus_allocations') }}

),

products as (

    select * from {{ ref('int_focus_products') }}

),

focus_sources as (

    select * from {{ ref('focus_sources') }}

),

charge_categories as (

    select * from {{ ref('focus_charge_categories') }}

),

line_details as (

    select * from {{ ref('int_focus_line_details') }}

),

line_commitments as (

    select * from {{ ref('int_focus_line_commitments') }}

),

postings as (

    select * from {{ ref('stg_ledger__postings') }}

),

-- An issued invoice never changes. A correction belongs to an invoice only if it was issued with
-- it. Read directly: the engine would store `allocations` with all columns if it were read twice.
invoices as (

    select
        invoice_number,
        min(billing_period) as billing_period
    from {{ ref('int_focus_allocations') }}
    where invoice_number is not null
    group by invoice_number

),

categorized as (

    select
        allocations.* {{ without('quantity_unit', 'sku_id') }},
        allocations.sku_id as billed_sku_id,
        -- FOCUS bills distinguish adjustments from credits; the charge kind does not.
        case
            when allocations.charge_kind = 'credit' and allocations.charge_type = 'Adjustment'
                then 'Adjustment'
            else charge_categories.charge_category
        end as charge_category,
        charge_categories.charge_frequency,
        case
            when charge_categories.quantity_unit is not null
                then coalesce(allocations.quantity_unit, charge_categories.quantity_unit)
        end as quantity_unit,
        coalesce(line_details.service_category, products.service_category) as service_category,
        case
            when line_details.service_category <> products.service_category
                then line_details.other_subcategory
            else products.service_subcategory
        end as service_subcategory,
        coalesce(
            line_details.service_provider_name,
            products.service_provider_name,
            focus_sources.service_provider_name
        ) as service_provider_name,
        coalesce(
            line_details.invoice_issuer_name,
            focus_sources.invoice_issuer_name,
            line_details.service_provider_name,
            products.service_provider_name,
            focus_sources.service_provider_name
        ) as invoice_issuer_name,
        -- The name of a license subscription is its product. An account of another cloud has many
        -- services, so its name is its id if the bill does not state one.
        case
            when allocations.subscription_id is null then null
            when allocations.source_format = 'focus_cost_and_usage'
                then coalesce(line_details.subscription_name, allocations.subscription_id)
            else allocations.service_name
        end as subscription_name,
        focus_sources.payment_days,
        invoices.invoice_number as invoice_id,
        line_details.tags,
        line_details.pricing_category,
        line_details.sku_meter,
        line_details.sku_price_id,
        line_details.sku_price_details,
        line_details.list_unit_price,
        line_details.contracted_unit_price,
        line_details.commitment_discount_id,
        line_details.commitment_discount_status,
        line_commitments.commitment_id,
        postings.closed_at,
        -- Only FOCUS bills state a billing period. Other charges have that of their first day.
        coalesce(
            allocations.billing_period_start,
            {{ month_of('coalesce(allocations.charge_start_date, allocations.billing_date)') }}
        ) as period_start,
        coalesce(
            allocations.billing_period_end,
            {{ start_of_next_month(
                'coalesce('
                ~ 'allocations.billing_period_start, allocations.charge_start_date, '
                ~ 'allocations.billing_date)'
            ) }}
        ) as period_end,
        -- FOCUS requires a negative quantity on refunds. Bills print refunds with either sign, so
        -- the sign is that of the line's amount.
        cast(
            case
                when charge_categories.quantity_unit is null then null
                when
                    allocations.split_reason = 'corrected'
                    or allocations.line_total_cost = 0
                    then
                        allocations.quantity
                        * case when allocations.charge_kind = 'refund' then -1 else 1 end
                else
                    abs(allocations.quantity)
                    * case when allocations.line_total_cost < 0 then -1 else 1 end
            end as decimal(28, 10)
        ) as pricing_quantity
    from allocations
    inner join products on allocations.service_name = products.service_name
    inner join charge_categories on allocations.charge_kind = charge_categories.charge_kind
    inner join focus_sources on allocations.source_format = focus_sources.source_format
    left join invoices
        on
            allocations.invoice_number = invoices.invoice_number
            and allocations.billing_period = invoices.billing_period
    left join line_details
        on
            coalesce(allocations.corrects_line_id, allocations.line_id)
            = line_details.line_id
    left join line_commitments
        on
            coalesce(allocations.corrects_line_id, allocations.line_id)
            = line_commitments.line_id
    left join postings on allocations.billing_period = postings.billing_period

),

-- Price x quantity is the cost of each row.
priced as (

    select
        * {{ without('list_unit_price', 'contracted_unit_price') }},
        {{ focus_sku_id() }} as sku_id,
        {{ is_prepaid() }} as is_prepaid,
        {{ unit_price_of('list_unit_price', 'list_cost') }} as list_unit_price,
        {{ unit_price_of('contracted_unit_price', 'contracted_cost') }} as contracted_unit_price
    from categorized

),

final as (

    select
        *,
        case
            when invoice_id is not null
                then
                    {{ surrogate_id([
                        'invoice_id', 'billing_period', 'period_start', 'currency',
                        'organization_id', 'invoice_issuer_name', 'subscription_id',
                        'service_name', 'sku_id', 'charge_category',
                    ]) }}
        end as invoice_detail_id
    from priced

)

select * from final
