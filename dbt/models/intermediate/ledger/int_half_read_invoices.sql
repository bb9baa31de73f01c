{#-
These invoices correct nothing yet: a missing line may be in a quarantined row, and a new line may be
only half of a change.
-#}
with

quarantined_rows as (

    select * from {{ ref('int_quarantined_rows') }}
    where not is_superseded and invoice_number is not null

),

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}
    where is_standing

)

select
    quarantined_rows.provider,
    quarantined_rows.invoice_number
from quarantined_rows
inner join ledger_lines
    on
        quarantined_rows.invoice_number = ledger_lines.invoice_number
        and coalesce(quarantined_rows.provider, ledger_lines.provider, '')
        = coalesce(ledger_lines.provider, quarantined_rows.provider, '')
group by quarantined_rows.provider, quarantined_rows.invoice_number
