with

billing_lines as (

    select * from {{ ref('int_billing_lines_current') }}

),

line_organizations as (

    select * from {{ ref('int_line_organizations') }}

),

invoices as (

    select * from {{ ref('int_invoices') }}

),

-- License bills of both kinds print each other's charge types. Usage and FOCUS have their own
-- types.
charge_types as (

    select
        *,
        {{ match_key('charge_type') }} as charge_type_key,
        case when source in ('usage', 'FOCUS') then source else 'license' end as charge_source
    from {{ ref('charge_types') }}

),

quantity_units as (

    select
        {{ match_key('billed_unit') }} as billed_unit_key,
        min(quantity_unit) as quantity_unit
    from {{ ref('quantity_units') }}
    group by {{ match_key('billed_unit') }}

),

other_charge_types as (

    select * from charge_types
    where charge_type = '(any other)'

),

-- Without an invoice date, the date is the assumed day of the month after the last charge begins.
-- If the format has no invoice number either, a file is a bill.
assumed_invoice_dates as (

    select
        provider,
        invoice_number,
        case when invoice_number is null then content_hash end as content_hash,
        {{ assumed_invoice_date('max(charge_start_date)') }} as invoice_date
    from billing_lines
    where invoice_number is not null or billing_date is null
    group by
        provider,
        invoice_number,
        case when invoice_number is null then content_hash end

),

dated as (

    select
        billing_lines.*,
        coalesce(
            billing_lines.billing_date,
            invoices.invoice_date,
            assumed_invoice_dates.invoice_date
        ) as bill_date,
        billing_lines.billing_date is null
        and invoices.invoice_date is null as is_billing_date_assumed
    from billing_lines
    left join invoices
        on
            {{ match_key('billing_lines.provider') }}
            is not distinct from {{ match_key('invoices.provider') }}
            and billing_lines.invoice_number = invoices.invoice_number
            and billing_lines.currency = invoices.currency
    left join assumed_invoice_dates
        on
            billing_lines.provider is not distinct from assumed_invoice_dates.provider
            and billing_lines.invoice_number
            is not distinct from assumed_invoice_dates.invoice_number
            and case when billing_lines.invoice_number is null then billing_lines.content_hash end
            is not distinct from assumed_invoice_dates.content_hash

),

-- Charge type and sign of the amount determine the charge kind.
classified as (

    select
        dated.*,
        -- Usage keeps the kind usage, regardless of the provider's charge type.
        dated.charge_source = 'usage' or charge_types.charge_type is not null
            as is_known_charge_type,
        coalesce(charge_types.has_seats, other_charge_types.has_seats) as has_seats,
        case
            when coalesce(nullif(dated.total_cost, 0), dated.total_sales, 0) < 0
                then
                    coalesce(
                        charge_types.kind_when_negative,
                        other_charge_types.kind_when_negative
                    )
            else
                coalesce(
                    charge_types.kind_when_positive,
                    other_charge_types.kind_when_positive
                )
        end as charge_kind
    from dated
    inner join other_charge_types on dated.charge_source = other_charge_types.charge_source
    left join charge_types
        on
            {{ match_key('dated.charge_type') }} = charge_types.charge_type_key
            and dated.charge_source = charge_types.charge_source

),

with_organization as (

    select
        classified.line_id,
        classified.source_format,
        classified.charge_source,
        classified.file,
        classified.landed_file,
        classified.row_number,
        classified.provider,
        classified.invoice_number,
        classified.bill_date as billing_date,
        {{ year_month('classified.bill_date') }} as billing_period,
        classified.is_billing_date_assumed,
        line_organizations.organization_id,
        line_organizations.organization_name,
        line_organizations.is_known as is_known_organization,
        line_organizations.refund_policy,
        classified.subscription_id,
        classified.product_id,
        classified.product_name,
        classified.sku_id,
        classified.charge_type,
        classified.charge_kind,
        classified.is_known_charge_type,
        classified.has_seats,
        classified.charge_start_date,
        classified.charge_end_date,
        classified.billing_line_details,
        -- Bills print refund quantities with either sign. In this model the quantity is
        -- positive and the amount is signed.
        abs(classified.billed_quantity) as quantity,
        classified.billed_quantity,
        coalesce(
            quantity_units.quantity_unit,
            classified.billed_unit,
            {{ default_quantity_unit('classified') }}
        ) as quantity_unit,
        classified.unit_price,
        classified.total_cost,
        classified.total_sales,
        classified.total_sales - classified.total_cost as total_margin,
        classified.billed_margin,
        classified.rounding_residual,
        -- XXX is the ISO 4217 code for "no currency". A guess would be worse.
        coalesce(classified.currency, line_organizations.currency, 'XXX') as currency,
        classified.reference_id,
        classified.tags,
        classified.allocated_tags,
        classified.allocated_resource_id,
        classified.split_cost_center_id,
        classified.split_cost_center_name,
        coalesce(classified.is_split_unallocated, false) as is_split_unallocated,
        classified.copy_count
    from classified
    left join quantity_units
        on {{ match_key('classified.billed_unit') }} = quantity_units.billed_unit_key
    inner join line_organizations
        on
            classified.customer_id is not distinct from line_organizations.customer_id
            and classified.customer_domain
            is not distinct from line_organizations.customer_domain
            and classified.customer_name is not distinct from line_organizations.customer_name
            and classified.subscription_id
            is not distinct from line_organizations.subscription_id

)

select * from with_organization
