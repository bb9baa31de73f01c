with

landed as (

    {{ landed_rows('invoices') }}

),

with_amendment as (

    select
        landed.*,
        {{ each_json_object('amendments') }} as amendment
    from landed

),

-- Partner Center lists the notes that amend an invoice inside it; each is a document of its own.
documents as (

    select
        file,
        row_number,
        content_hash,
        invoice_number,
        invoice_date,
        currency,
        subtotal,
        tax_total,
        total,
        provider,
        landed_row
    from landed
    union all
    select
        file,
        row_number,
        content_hash,
        {{ json_text('amendment', 'id') }} as invoice_number,
        coalesce({{ json_text('amendment', 'invoiceDate') }}, invoice_date) as invoice_date,
        coalesce({{ json_text('amendment', 'currencyCode') }}, currency) as currency,
        cast(null as string) as subtotal,
        cast(null as string) as tax_total,
        {{ json_text('amendment', 'totalCharges') }} as total,
        provider,
        landed_row
    from with_amendment

),

{{ typed_and_checked(
    'documents',
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
        (
            'Subtotal',
            'subtotal',
            given_value('subtotal') ~ ' is null and ' ~ given_value('total') ~ ' is null',
            'and Total are empty'
        ),
        number_if_given('Subtotal', 'subtotal', 'exact_subtotal'),
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
        {{ given_id('provider') }} as provider,
        {{ given_id('invoice_number') }} as invoice_number,
        invoice_day as invoice_date,
        upper({{ given_id('currency') }}) as currency,
        {{ measure('exact_subtotal') }} as subtotal,
        exact_subtotal,
        -- 12.5 has one decimal, so the invoice was rounded to one decimal.
        length(regexp_extract(trim(subtotal), '[.]([0-9]*)', 1)) as subtotal_decimals,
        exact_tax_total,
        {{ measure('exact_total') }} as total,
        exact_total,
        length(regexp_extract(trim(total), '[.]([0-9]*)', 1)) as total_decimals,
        {{ rejection() }}
    from checked

)

select * from renamed
