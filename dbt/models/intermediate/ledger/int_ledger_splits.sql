with

ledger_rows as (

    select * from {{ ref('stg_ledger__lines') }}

),

-- For a line that was reversed and billed again, the last posting counts.
last_postings as (

    select
        line_id,
        max(posting_number) as posting_number
    from ledger_rows
    where corrects_line_id is null
    group by line_id

),

last_corrections as (

    select
        corrects_line_id as line_id,
        max(posting_number) as posting_number
    from ledger_rows
    where split_reason = 'corrected'
    group by corrects_line_id

)

select
    ledger_rows.line_id,
    ledger_rows.posting_number,
    max(ledger_rows.snapshot_id) as snapshot_id,
    concat_ws('', 'ledger:', ledger_rows.line_id) as split_id,
    coalesce(max(last_corrections.posting_number) > ledger_rows.posting_number, false)
        as is_corrected
from ledger_rows
inner join last_postings
    on
        ledger_rows.line_id = last_postings.line_id
        and ledger_rows.posting_number = last_postings.posting_number
left join last_corrections on ledger_rows.line_id = last_corrections.line_id
group by ledger_rows.line_id, ledger_rows.posting_number
