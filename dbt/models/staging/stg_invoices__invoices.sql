with

{{ landed_typed_checked(
    'invoices',
    typed={
        'invoice_day': date_value('invoice_date'),
        'exact_subtotal': decimal_value('subtotal'),
        'exact_tax_total': decimal_value('tax_total'),
        'exact_total': decimal_value('total'),
    },
    checks=[
        needs_id('Invoice Number', 'invoice_number'),
        needs_date('Invoice Date', 'invoice_date', 'invoice_day'),
        needs_id('Currency', 'currency'),
        needs_number('Subtotal', 'subtotal', 'exact_subtotal'),
        not_too_large('Subtotal', 'subtotal', 'exact_subtotal', 1000000000000000),
        number_if_given('Tax Total', 'tax_total', 'exact_tax_total'),
        number_if_given('Total', 'total', 'exact_total'),
        not_too_large('Tax Total', 'tax_total', 'exact_tax_total', 1000000000000000),
        not_too_large('Total', 'total', 'exact_total', 1000000000000000),
    ],
) }},

renamed as (

    select
        file,
        row_number,
        content_hash,
        {{ given_value('provider') }} as provider,
        {{ given_value('invoice_number') }} as invoice_number,
        invoice_day as invoice_date,
        upper({{ given_value('currency') }}) as currency,
        {{ measure('exact_subtotal') }} as subtotal,
        exact_subtotal,
        -- 12.5 has one decimal: the invoice itself says how finely it was rounded.
        length(regexp_extract(trim(subtotal), '[.]([0-9]*)', 1)) as subtotal_decimals,
        {{ measure('exact_tax_total') }} as tax_total,
        {{ measure('exact_total') }} as total,
        {{ rejection() }}
    from checked

)

select * from renamed
