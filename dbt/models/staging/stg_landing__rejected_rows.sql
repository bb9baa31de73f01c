with

rejected_rows as (

    select * from {{ source('raw', 'rejected_rows') }}

),

-- A row that breaks off early still shows its money and its invoice if they come first.
with_known_values as (

    select
        file,
        content_hash,
        feed,
        format as source_format,
        row_number,
        column_name,
        value,
        reason,
        raw_row,
        {{ text_value(json_text('known_values', 'invoice_number')) }} as invoice_number,
        {{ date_value(json_text('known_values', 'billing_date')) }} as billing_date,
        {{ text_value(json_text('known_values', 'currency')) }} as currency,
        coalesce(
            {{ decimal_value(json_text('known_values', 'subtotal')) }},
            {{ decimal_value(json_text('known_values', 'total_cost')) }}
        ) as total_cost
    from rejected_rows

)

select * from with_known_values
