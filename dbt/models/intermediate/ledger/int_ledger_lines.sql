{#- One row per line that was ever posted, with its attributes and whether it is still billed. -#}
with

ledger_rows as (

    select * from {{ ref('stg_ledger__lines') }}

),

ledger_splits as (

    select * from {{ ref('int_ledger_splits') }}

),

postings_of_lines as (

    select
        line_id,
        count(distinct posting_number) as posting_count
    from ledger_rows
    where corrects_line_id is null
    group by line_id

),

reversals_of_lines as (

    select
        corrects_line_id as line_id,
        count(distinct line_id) as reversal_count
    from ledger_rows
    where split_reason = 'reversed'
    group by corrects_line_id

),

totals_of_lines as (

    select
        line_id,
        posting_number,
        -- The row of one cost center has the attributes of the line.
        min(cost_center_id) as cost_center_id,
    {%- for measure in ['quantity', 'total_cost', 'total_sales'] %}
        cast(sum({{ measure }}) as decimal(28, 10)) as line_{{ measure }}{{ ',' if not loop.last }}
    {%- endfor %}
    from ledger_rows
    group by line_id, posting_number

)

select
    ledger_rows.* {{ without('explanation') }},
    totals_of_lines.line_quantity,
    totals_of_lines.line_total_cost,
    totals_of_lines.line_total_sales,
    coalesce(reversals_of_lines.reversal_count, 0) as reversal_count,
    postings_of_lines.posting_count > coalesce(reversals_of_lines.reversal_count, 0)
        as is_standing
from ledger_rows
inner join ledger_splits
    on
        ledger_rows.line_id = ledger_splits.line_id
        and ledger_rows.posting_number = ledger_splits.posting_number
inner join totals_of_lines
    on
        ledger_rows.line_id = totals_of_lines.line_id
        and ledger_rows.posting_number = totals_of_lines.posting_number
        and ledger_rows.cost_center_id = totals_of_lines.cost_center_id
inner join postings_of_lines on ledger_rows.line_id = postings_of_lines.line_id
left join reversals_of_lines on ledger_rows.line_id = reversals_of_lines.line_id
