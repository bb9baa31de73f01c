with

billing_lines as (

    select * from {{ ref('int_billing_lines_unioned') }}

),

files as (

    select * from {{ ref('stg_landing__files') }}

),

-- Daily usage comes beside its invoice's other lines, in files of its own. The parts of an
-- export count together.
invoice_files as (

    select
        billing_lines.invoice_number,
        billing_lines.charge_source = 'usage' as is_usage,
        billing_lines.content_hash,
        files.file,
        files.modified_at,
        coalesce(files.delivery, billing_lines.content_hash) as delivery,
        coalesce(files.delivered_at, files.modified_at) as delivered_at,
        count(*) as line_count
    from billing_lines
    inner join files
        on
            billing_lines.content_hash = files.content_hash
            and files.status = 'loaded'
    where billing_lines.invoice_number is not null
    group by
        billing_lines.invoice_number,
        billing_lines.charge_source = 'usage',
        billing_lines.content_hash,
        files.file,
        files.modified_at,
        coalesce(files.delivery, billing_lines.content_hash),
        coalesce(files.delivered_at, files.modified_at)

),

deliveries as (

    select
        invoice_number,
        is_usage,
        delivery,
        delivered_at,
        max(file) as last_file
    from invoice_files
    group by invoice_number, is_usage, delivery, delivered_at

),

-- What was delivered last holds the invoice; what was delivered at once goes by name.
ranked as (

    select
        *,
        row_number() over (
            partition by invoice_number, is_usage
            order by delivered_at desc, last_file desc
        ) as newest_first
    from deliveries

)

select
    invoice_files.invoice_number,
    invoice_files.content_hash,
    invoice_files.file,
    invoice_files.modified_at,
    invoice_files.delivery,
    invoice_files.is_usage,
    invoice_files.line_count,
    ranked.newest_first = 1 as is_current
from invoice_files
inner join ranked
    on
        invoice_files.invoice_number = ranked.invoice_number
        and invoice_files.is_usage = ranked.is_usage
        and invoice_files.delivery = ranked.delivery
