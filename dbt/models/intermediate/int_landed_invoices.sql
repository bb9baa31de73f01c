with

billing_lines as (

    select * from {{ ref('int_billing_lines_unioned') }}

),

files as (

    select * from {{ ref('stg_landing__files') }}

),

invoice_files as (

    select
        billing_lines.invoice_number,
        billing_lines.content_hash,
        files.file,
        files.modified_at,
        count(*) as line_count
    from billing_lines
    inner join files
        on
            billing_lines.content_hash = files.content_hash
            and files.status = 'loaded'
    where billing_lines.invoice_number is not null
    group by
        billing_lines.invoice_number,
        billing_lines.content_hash,
        files.file,
        files.modified_at

),

-- The file written last holds the invoice; files written at once go by name.
ranked as (

    select
        *,
        row_number() over (
            partition by invoice_number
            order by modified_at desc, file desc
        ) as newest_first
    from invoice_files

)

select
    invoice_number,
    content_hash,
    file,
    modified_at,
    line_count,
    newest_first = 1 as is_current
from ranked
