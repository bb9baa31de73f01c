{#-
The bill: posted rows as posted, open periods as they are now. A view, so that the report is stored
once, as a mart.
-#}
{{ config(materialized='view') }}

with

ledger_rows as (

    select * from {{ ref('stg_ledger__lines') }}

),

computed_rows as (

    select * from {{ ref('int_computed_rows') }}

),

correction_rows as (

    select * from {{ ref('int_correction_rows') }}

),

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}

),

correction_period as (

    select * from {{ ref('int_correction_period') }}

),

open_rows as (

    select computed_rows.*
    from computed_rows
    cross join correction_period
    left join ledger_lines
        on
            computed_rows.line_id = ledger_lines.line_id
            and ledger_lines.is_standing
    where
        -- A posted line stays posted, even if the date of its bill has changed since.
        ledger_lines.line_id is null
        and (
            correction_period.closed_through is null
            or computed_rows.billing_period > correction_period.closed_through
        )

),

unioned as (

    select * from ledger_rows
    union all by name
    select * from open_rows
    union all by name
    select * from correction_rows

)

select * from unioned
