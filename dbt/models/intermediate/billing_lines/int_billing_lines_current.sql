with

billing_lines as (

    select * from {{ ref('int_billing_lines_unioned') }}
    where rejected_reason is null

),

landed_invoices as (

    select * from {{ ref('int_landed_invoices') }}

),

-- A file that brings an invoice again replaces the older one, for that invoice.
of_current_files as (

    select
        billing_lines.*,
        coalesce(landed_invoices.delivery, billing_lines.content_hash) as delivery
    from billing_lines
    left join landed_invoices
        on
            billing_lines.invoice_number = landed_invoices.invoice_number
            and billing_lines.content_hash = landed_invoices.content_hash
    where billing_lines.invoice_number is null or landed_invoices.is_current

),

-- An invoice sums up in a line what its daily usage tells day by day: where both have landed, the
-- days count, and the sum of them does not come on top.
usage_in_detail as (

    select
        invoice_number,
        subscription_id,
        product_id,
        currency
    from of_current_files
    where charge_source = 'usage'
    group by invoice_number, subscription_id, product_id, currency

),

without_sums as (

    select of_current_files.*
    from of_current_files
    left join usage_in_detail
        on
            of_current_files.invoice_number = usage_in_detail.invoice_number
            and of_current_files.subscription_id = usage_in_detail.subscription_id
            and of_current_files.product_id = usage_in_detail.product_id
            and of_current_files.currency = usage_in_detail.currency
    where
        usage_in_detail.invoice_number is null
        or of_current_files.charge_source = 'usage'
        -- A credit on the usage is no sum of it.
        or of_current_files.total_cost < 0
        or {{ match_key('of_current_files.charge_type') }} = 'customercredit'

),

with_line_hash as (

    select
        *,
        {{ surrogate_id([
            'invoice_number', 'billing_date', 'customer_id', 'customer_domain',
            'subscription_id', 'product_id', 'product_name', 'sku_id', 'charge_type',
            'charge_start_date', 'charge_end_date', 'billed_quantity', 'unit_price',
            'total_cost', 'total_sales', 'billed_margin', 'rounding_residual', 'currency',
            'reference_id',
        ]) }} as line_hash
    from without_sums

),

-- One purchase can give two lines that are alike, in one file or in two parts of an export: the
-- second is the second occurrence.
with_occurrence as (

    select
        *,
        row_number() over (
            partition by line_hash, delivery
            order by file, row_number
        ) as occurrence
    from with_line_hash

),

-- A report without invoice number that is exported again brings lines that are there
-- already: the same occurrence of the same line in another file is the same line.
across_files as (

    select
        *,
        row_number() over (
            partition by line_hash, occurrence
            order by file
        ) as copy_number,
        count(*) over (partition by line_hash, occurrence) - 1 as copy_count
    from with_occurrence

),

keyed as (

    select
        {{ surrogate_id(['line_hash', 'occurrence']) }} as line_id,
        * exclude (line_hash, delivery, rejected_column, rejected_value, rejected_reason, raw_row)
    from across_files
    where copy_number = 1

)

select * from keyed
