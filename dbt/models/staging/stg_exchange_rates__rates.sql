with

{{ landed_typed_checked(
    'exchange_rates',
    typed={
        'exact_rate': decimal_value('rate'),
        'rate_day': date_value('date'),
    },
    checks=[
        needs_id('From Currency', 'from_currency'),
        needs_id('To Currency', 'to_currency'),
        needs_date('Date', 'date', 'rate_day'),
        needs_number('Rate', 'rate', 'exact_rate'),
        ('Rate', 'rate', 'exact_rate <= 0', 'is not greater than zero'),
        not_too_large('Rate', 'rate', 'exact_rate', 1000000000),
    ],
) }},

renamed as (

    select
        file,
        row_number,
        content_hash,
        upper({{ given_id('from_currency') }}) as from_currency,
        upper({{ given_id('to_currency') }}) as to_currency,
        rate_day as rate_date,
        {{ measure('exact_rate') }} as rate,
        {{ rejection() }}
    from checked

)

select * from renamed
