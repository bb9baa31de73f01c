with

-- A percentage of 15 may be given as 15 or as 15%.
{{ landed_typed_checked(
    'price_list',
    typed={
        'exact_unit_price': decimal_value('unit_price'),
        'exact_markup_percent': decimal_value("trim(trim(trailing '%' from trim(markup_percent)))"),
        'valid_from_day':
            'case when ' ~ has_open_beginning('valid_from') ~ " then date '1990-01-01' else "
            ~ date_value('valid_from') ~ ' end',
        'valid_to_day': date_value('valid_to'),
        'has_no_end': has_open_end('valid_to'),
        'percent_base': 'coalesce(lower(' ~ text_value('percent_of') ~ "), 'cost')",
        'is_for_all_products':
            'coalesce(' ~ text_value('product') ~ ", '*') = '*' and " ~ given_id('sku') ~ ' is null',
    },
    checks=[
        needs_id('Currency', 'currency'),
        number_if_given('Unit Price', 'unit_price', 'exact_unit_price'),
        number_if_given('Markup Percent', 'markup_percent', 'exact_markup_percent'),
        (
            'Unit Price',
            'unit_price',
            'exact_unit_price is null and exact_markup_percent is null',
            'and Markup Percent are empty'
        ),
        (
            'Unit Price',
            'unit_price',
            'exact_unit_price is not null and exact_markup_percent is not null',
            'and Markup Percent are both given; give only one of them'
        ),
        ('Unit Price', 'unit_price', 'exact_unit_price < 0', 'is negative'),
        known_term('Term Duration', 'term_duration'),
        not_too_large('Unit Price', 'unit_price', 'exact_unit_price', 1000000000),
        (
            'Markup Percent',
            'markup_percent',
            'exact_markup_percent < -100',
            'is less than -100'
        ),
        not_too_large('Markup Percent', 'markup_percent', 'exact_markup_percent', 100000),
        (
            'Product',
            'product',
            'is_for_all_products and exact_unit_price is not null',
            'is empty or *; only a percentage can apply to all products'
        ),
        (
            'Percent Of',
            'percent_of',
            "percent_base not in ('cost', 'list')",
            'is neither cost nor list'
        ),
        needs_date('Valid From', 'valid_from', 'valid_from_day'),
        date_if_given(
            'Valid To',
            'valid_to',
            "case when has_no_end then date '2199-12-31' else valid_to_day end"
        ),
        (
            'Valid To',
            'valid_to',
            'valid_to_day < valid_from_day',
            'is before Valid From'
        ),
    ],
) }},

renamed as (

    select
        file,
        row_number,
        content_hash,
        {{ text_value('organization') }} as organization,
        case when not is_for_all_products then {{ text_value('product') }} end as product_name,
        {{ given_id('sku') }} as sku_id,
        {{ measure(price_per_cycle('exact_unit_price', 'billing_plan', 'term_duration')) }}
            as unit_price,
        {{ term_months('term_duration') }} as term_months,
        {{ cycle_months('billing_plan', term_months('term_duration')) }} as cycle_months,
        {{ measure('exact_markup_percent') }} as markup_percent,
        percent_base,
        upper({{ given_id('currency') }}) as currency,
        valid_from_day as valid_from_date,
        -- Valid To is the last day on which the price is in force.
        case when not has_no_end then valid_to_day end as valid_to_date,
        {{ text_value('offer') }} as offer,
        {{ rejection() }}
    from checked

)

select * from renamed
