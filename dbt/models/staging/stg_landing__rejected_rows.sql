with

rejected_rows as (

    select * from {{ source('raw', 'rejected_rows') }}

),

-- A truncated row still shows its amount and its invoice if they come first.
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
        coalesce(
            {{ given_id(json_text('known_values', 'invoice_number')) }},
            {{ given_id(json_text('known_values', 'invoice_id')) }}
        ) as invoice_number,
        {{ date_value(json_text('known_values', 'billing_date')) }} as billing_date,
        upper(
            coalesce(
                {{ given_id(json_text('known_values', 'currency')) }},
                {{ given_id(json_text('known_values', 'billing_currency')) }}
            )
        ) as currency,
        coalesce(
            {{ decimal_value(json_text('known_values', 'subtotal')) }},
            {{ decimal_value(json_text('known_values', 'total_cost')) }},
            {{ decimal_value(json_text('known_values', 'billing_pre_tax_total')) }},
            {{ decimal_value(json_text('known_values', 'billed_cost')) }}
        ) as exact_total_cost
    from rejected_rows

),

-- An implausibly large amount is not shown.
bounded as (

    select
        * {{ without('exact_total_cost') }},
        case
            when abs(exact_total_cost) < {{ number_limit() }} then exact_total_cost
        end as total_cost
    from with_known_values

)

select * from bounded
