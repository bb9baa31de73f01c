{#-
The bill: posted rows as posted, open periods as they are now. A view, so that the report is stored
once, as a mart.
-#}
{{ config(materialized='view') }}

with

ledger_rows as (

    select * from {{ ref('stg_ledger__lines') }}

),

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

computed_rows as (

    select * from {{ ref('int_computed_rows') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

correction_rows as (

    select * from {{ ref('int_correction_rows') }}

),

-- A posting may name no provider, or one by a name that the seed focus_sources no longer has. A
-- line that is in landing has the provider of its bill.
posted_rows as (

    select
        ledger_rows.* {{ without('provider', 'quantity_unit') }},
        coalesce(billing_lines.provider, ledger_rows.provider) as provider,
        coalesce(ledger_rows.quantity_unit, billing_lines.quantity_unit) as quantity_unit
    from ledger_rows
    left join billing_lines
        on
            coalesce(ledger_rows.corrects_line_id, ledger_rows.line_id)
            = billing_lines.line_id

),

open_rows as (

    select
        *,
        cast(null as string) as corrects_line_id
    from computed_rows
    where line_state = 'open'

),

unioned as (

    {% set columns = bill_row_columns() | join(', ') %}
    select
        {{ columns }},
        posting_number,
        charge_class,
        is_default
    from posted_rows
    union all
    select
        {{ columns }},
        cast(null as bigint) as posting_number,
        cast(null as string) as charge_class,
        cast(null as boolean) as is_default
    from open_rows
    union all
    select
        {{ columns }},
        cast(null as bigint) as posting_number,
        charge_class,
        cast(null as boolean) as is_default
    from correction_rows

),

-- Posted rows keep what was posted. Older postings have no unit, and do not say whether a cost
-- center was Default.
final as (

    select
        unioned.* {{ without('is_default', 'quantity_unit') }},
        coalesce(unioned.quantity_unit, {{ default_quantity_unit('unioned') }}) as quantity_unit,
        coalesce(unioned.is_default, default_cost_centers.cost_center_id is not null)
            as is_default
    from unioned
    left join default_cost_centers
        on
            unioned.organization_id = default_cost_centers.organization_id
            and unioned.cost_center_id = default_cost_centers.cost_center_id

)

select * from final
