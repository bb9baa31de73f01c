{{ config(meta={
    'partition_column': 'content_hash',
    'partitioned_by': {
        'int_billing_lines_unioned': 'content_hash',
        'int_delivered_files': 'content_hash',
    },
}) }}

with

landed_lines as (

    select * from {{ ref('int_billing_lines_unioned') }}

),

delivered_files as (

    select * from {{ ref('int_delivered_files') }}

),

sources as (

    select * from {{ ref('focus_sources') }}

),

-- In a format without invoice numbers and billing dates, a file is a bill, dated on the assumed day
-- of the month after its last charge starts. Read directly: the engine would store `landed_lines`
-- with all columns if it were read twice.
assumed_dates as (

    select
        content_hash,
        {{ assumed_invoice_date('max(charge_start_date)') }} as bill_date
    from {{ ref('int_billing_lines_unioned') }}
    where source_format = 'legacy_license_based' and rejected_reason is null
    group by content_hash

),

delivered as (

    select
        landed_lines.* {{ without('provider', 'seller') }},
        delivered_files.delivery,
        delivered_files.landed_file,
        coalesce(
            landed_lines.provider,
            sources.invoice_issuer_name,
            delivered_files.folder_provider
        ) as provider,
        coalesce(
            landed_lines.seller,
            sources.invoice_issuer_name,
            delivered_files.folder_provider,
            ''
        ) as seller,
        case
            when landed_lines.source_format = 'focus_cost_and_usage' then landed_lines.period_key
            when landed_lines.source_format = 'legacy_license_based'
                then cast(
                    coalesce(landed_lines.billing_date, assumed_dates.bill_date) as string
                )
            else
                coalesce(
                    landed_lines.invoice_number, cast(landed_lines.billing_date as string)
                )
        end as scope_period,
        case
            when landed_lines.invoice_number is null
                then coalesce(landed_lines.billing_date, assumed_dates.bill_date)
        end as report_date
    from landed_lines
    inner join delivered_files on landed_lines.content_hash = delivered_files.content_hash
    left join sources on landed_lines.source_format = sources.source_format
    left join assumed_dates on landed_lines.content_hash = assumed_dates.content_hash

),

-- Two deliveries can contain the same charge only within a scope: in FOCUS a billing period of a
-- provider, else an invoice or the date of a bill.
scoped as (

    select
        * {{ without('seller', 'period_key') }},
        case
            when scope_period is not null
                then concat_ws(
                    '',
                    source_format, '|', {{ match_key('seller') }}, '|', scope_period
                )
        end as scope_key,
        -- Not the margin: bills print it with any number of decimals. The empty value keeps the
        -- hashes of bills without margins as they were when the margin was a part.
        {{ surrogate_id([
            'invoice_number', 'billing_date', 'customer_id', 'customer_domain',
            'subscription_id', 'product_id', 'product_name', 'sku_id', 'charge_type',
            'charge_start_date', 'charge_end_date',
            'coalesce(quantity_in_line_id, billed_quantity)', 'unit_price',
            'total_cost', 'total_sales', 'cast(null as string)', 'rounding_residual',
            'currency', 'reference_id',
        ]) }} as line_hash
    from delivered

)

select * from scoped
