{#-
Which rows of the report a line in landing has: rows of its posting, rows of an open period, or a
correction, because it landed after its period was closed. Known for each line before the sentences
of its parts are made, which are most of the report's cost.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

correction_period as (

    select * from {{ ref('int_correction_period') }}

),

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}
    where is_standing

),

half_read_invoices as (

    select * from {{ ref('int_half_read_invoices') }}

),

final as (

    select
        billing_lines.line_id,
        case
            -- A posted line stays posted, even if the date of its bill has changed since.
            when ledger_lines.line_id is not null then 'posted'
            when
                correction_period.closed_through is null
                or billing_lines.billing_period > correction_period.closed_through
                then 'open'
            when half_read_invoices.invoice_number is not null then 'waiting'
            else 'late'
        end as line_state
    from billing_lines
    cross join correction_period
    left join ledger_lines on billing_lines.line_id = ledger_lines.line_id
    left join half_read_invoices
        on
            billing_lines.invoice_number = half_read_invoices.invoice_number
            and billing_lines.provider is not distinct from half_read_invoices.provider

)

select * from final
