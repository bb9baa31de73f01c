{#-
Microsoft's price list. Its prices are for the whole term, also of plans with monthly bills. The
estimated retail price is the price for customers; UnitPrice is the partner's cost.
-#}
with

{{ landed_typed_checked(
    'microsoft_price_list',
    typed={
        'exact_erp_price': decimal_value('erp_price'),
        'exact_tier_min': decimal_value('pricing_tier_range_min'),
        'effective_start_day':
            'case when ' ~ has_open_beginning('effective_start_date')
            ~ " then date '1990-01-01' else " ~ date_value('effective_start_date') ~ ' end',
        'effective_end_day':
            'case when not ' ~ has_open_end('effective_end_date') ~ ' then '
            ~ date_value('effective_end_date') ~ ' end',
    },
    checks=[
        needs_id('SkuId', 'sku_id'),
        needs_id('Currency', 'currency'),
        needs_number('ERP Price', 'erp_price', 'exact_erp_price'),
        ('ERP Price', 'erp_price', 'exact_erp_price < 0', 'is negative'),
        not_too_large('ERP Price', 'erp_price', 'exact_erp_price', 1000000000),
        known_term('TermDuration', 'term_duration'),
        number_if_given('PricingTierRangeMin', 'pricing_tier_range_min', 'exact_tier_min'),
        not_too_large('PricingTierRangeMin', 'pricing_tier_range_min', 'exact_tier_min'),
        needs_date('EffectiveStartDate', 'effective_start_date', 'effective_start_day'),
        (
            'EffectiveEndDate',
            'effective_end_date',
            given_value('effective_end_date') ~ ' is not null and effective_end_day is null'
            ~ ' and not ' ~ has_open_end('effective_end_date'),
            'is not a date'
        ),
        (
            'EffectiveEndDate',
            'effective_end_date',
            'effective_end_day < effective_start_day',
            'is before EffectiveStartDate'
        ),
    ],
) }},

renamed as (

    select
        file,
        row_number,
        content_hash,
        cast(null as string) as organization,
        cast(null as string) as product_name,
        concat_ws('', coalesce({{ given_id('product_id') }}, ''), {{ given_id('sku_id') }})
            as sku_id,
        {{ measure(price_per_cycle('exact_erp_price', 'billing_plan', 'term_duration')) }}
            as unit_price,
        {{ term_months('term_duration') }} as term_months,
        {{ cycle_months('billing_plan', term_months('term_duration')) }} as cycle_months,
        -- The smallest quantity that the price is for.
        {{ measure('exact_tier_min') }} as minimum_quantity,
        cast(null as decimal(28, 10)) as markup_percent,
        'cost' as percent_base,
        upper({{ given_id('currency') }}) as currency,
        effective_start_day as valid_from_date,
        -- The last day on which the price is in force.
        effective_end_day as valid_to_date,
        cast(null as string) as offer,
        {{ rejection() }}
    from checked

)

select * from renamed
