with

ledger_rows as (

    select * from {{ ref('stg_ledger__lines') }}

),

-- Of a line that was posted more than once, the first posting is the bill.
first_postings as (

    select
        line_id,
        min(posting_number) as posting_number
    from ledger_rows
    where corrects_line_id is null
    group by line_id

)

select
    ledger_rows.line_id,
    ledger_rows.posting_number,
    max(ledger_rows.snapshot_id) as snapshot_id,
    concat('ledger:', ledger_rows.line_id) as split_id
from ledger_rows
inner join first_postings
    on
        ledger_rows.line_id = first_postings.line_id
        and ledger_rows.posting_number = first_postings.posting_number
group by ledger_rows.line_id, ledger_rows.posting_number
