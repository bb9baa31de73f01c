with

unusable_rows as (

    select * from {{ ref('int_unusable_row_bills') }}

),

deliveries as (

    select * from {{ ref('int_deliveries') }}

),

files as (

    select * from {{ ref('stg_landing__files') }}

),

-- If a newer delivery replaces the bill, its unusable rows are superseded: by scope and invoice if
-- the row has both, else by invoice, else if no bill of its delivery counts.
deliveries_of_invoices as (

    select
        delivery,
        invoice_number,
        max(case when is_current then 1 else 0 end) = 1 as is_current
    from deliveries
    where invoice_number is not null
    group by delivery, invoice_number

),

whole_deliveries as (

    select
        delivery,
        max(case when is_current then 1 else 0 end) = 1 as is_current
    from deliveries
    group by delivery

),

with_delivery as (

    select
        unusable_rows.*,
        not coalesce(
            deliveries.is_current,
            deliveries_of_invoices.is_current,
            whole_deliveries.is_current,
            true
        ) as is_replaced
    from unusable_rows
    left join deliveries
        on
            unusable_rows.delivery = deliveries.delivery
            and unusable_rows.scope_key = deliveries.scope_key
            and unusable_rows.invoice_number is not distinct from deliveries.invoice_number
    left join deliveries_of_invoices
        on
            unusable_rows.delivery = deliveries_of_invoices.delivery
            and unusable_rows.invoice_number = deliveries_of_invoices.invoice_number
    left join whole_deliveries on unusable_rows.delivery = whole_deliveries.delivery

),

-- Reports without invoice numbers overlap, and each repeats the unusable rows.
keyed as (

    select
        *,
        {{ surrogate_id([
            'feed', 'source_format', 'column_name', 'value', 'reason', 'raw_row',
        ]) }} as row_key,
        invoice_number is null
        and raw_row is not null
        and coalesce(source_format, '') <> 'focus_cost_and_usage' as is_in_report
    from with_delivery

),

counted as (

    select
        *,
        row_number() over (
            partition by content_hash, file, row_key
            order by row_number nulls last
        ) as occurrence
    from keyed

),

ranked as (

    select
        *,
        row_number() over (
            partition by row_key, occurrence, is_replaced
            order by file nulls last
        ) as copy_number
    from counted

),

-- The cell of a workbook, as a spreadsheet program names it.
places as (

    select
        content_hash,
        min(sheet) as sheet,
        min(column_letters) as column_letters
    from files
    where sheet is not null and content_hash is not null
    group by content_hash

),

final as (

    select
        ranked.feed,
        ranked.source_format,
        ranked.file,
        ranked.content_hash,
        ranked.row_number,
        ranked.column_name,
        ranked.reason,
        ranked.provider,
        ranked.invoice_number,
        ranked.billing_date,
        ranked.currency,
        ranked.exact_cost,
        {{ measure('ranked.exact_cost') }} as total_cost,
        -- Rows of the directory hold persons; the file has the row.
        case when ranked.feed <> 'directory' then ranked.value end as value,
        case when ranked.feed <> 'directory' then ranked.raw_row end as raw_row,
        case
            when places.sheet is not null and ranked.row_number is not null
                then
                    concat_ws(
                        '',
                        places.sheet,
                        '!',
                        {{ json_text_at(
                            'places.column_letters', match_key('ranked.column_name')
                        ) }},
                        ranked.row_number
                    )
        end as cell,
        ranked.is_replaced or (ranked.is_in_report and ranked.copy_number > 1)
            as is_superseded
    from ranked
    left join places on ranked.content_hash = places.content_hash

)

select * from final
