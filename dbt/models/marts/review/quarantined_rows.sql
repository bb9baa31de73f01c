with

quarantined_rows as (

    select * from {{ ref('int_quarantined_rows') }}

),

final as (

    select
        file,
        row_number,
        column_name,
        value,
        reason,
        raw_row,
        feed,
        source_format,
        invoice_number,
        billing_date,
        currency,
        total_cost,
        is_superseded,
        cell
    from quarantined_rows

)

select * from final
