{#-
Ids of lines that were posted while the margin of a bill was a part of the id. Only broker's reports
print a margin. The ledger does not contain the margin as printed, so posted and landed lines are
matched by what the ledger does contain.
-#}
with

line_fates as (

    select * from {{ ref('int_line_fates') }}
    where source_format = 'broker_report' and fate = 'billed'

),

ledger_lines as (

    select * from {{ ref('int_ledger_lines') }}
    where source_format = 'broker_report'

),

organization_keys as (

    select * from {{ ref('int_organization_keys') }}

),

landed_lines as (

    select
        line_fates.*,
        {{ surrogate_id(['line_hash', 'occurrence']) }} as computed_line_id,
        organization_keys.organization_id
    from line_fates
    left join organization_keys
        on lower(line_fates.customer_name) = organization_keys.organization_key

),

-- Lines without an id in the ledger, and ids in the ledger without a line.
lines_without_id as (

    select landed_lines.* from landed_lines
    left join ledger_lines on landed_lines.computed_line_id = ledger_lines.line_id
    where ledger_lines.line_id is null

),

ids_without_line as (

    select ledger_lines.* from ledger_lines
    left join landed_lines on ledger_lines.line_id = landed_lines.computed_line_id
    where landed_lines.computed_line_id is null

),

-- An organization that was not in the list has its name on the bill as id in the ledger.
matches as (

    select
        lines_without_id.computed_line_id,
        lines_without_id.line_hash,
        lines_without_id.occurrence,
        ids_without_line.line_id as posted_line_id
    from lines_without_id
    inner join ids_without_line
        on
            lines_without_id.subscription_id is not distinct from ids_without_line.subscription_id
            and lines_without_id.billing_date = ids_without_line.billing_date
            and lines_without_id.product_name = ids_without_line.product_name
            and lines_without_id.sku_id is not distinct from ids_without_line.sku_id
            and lines_without_id.charge_type = ids_without_line.charge_type
            and lines_without_id.charge_start_date = ids_without_line.charge_start_date
            and lines_without_id.charge_end_date = ids_without_line.charge_end_date
            and abs(lines_without_id.billed_quantity) = ids_without_line.line_quantity
            and lines_without_id.total_cost = ids_without_line.line_total_cost
    where
        coalesce(lines_without_id.total_sales = ids_without_line.line_total_sales, true)
        and coalesce(lines_without_id.currency = ids_without_line.currency, true)
        and (
            lines_without_id.customer_name is null
            or ids_without_line.organization_id
            in (lines_without_id.customer_name, lines_without_id.organization_id)
        )

),

-- Equal lines have equal ids without line; each takes one of them, in order.
ranked as (

    select
        computed_line_id,
        posted_line_id,
        row_number() over (
            partition by posted_line_id
            order by line_hash nulls last, occurrence nulls last
        ) as line_place,
        row_number() over (
            partition by computed_line_id
            order by posted_line_id nulls last
        ) as id_place
    from matches

),

final as (

    select
        computed_line_id,
        posted_line_id
    from ranked
    where line_place = id_place

)

select * from final
