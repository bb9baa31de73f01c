with

-- A row names one source: a shared cost center, a subscription or a product. A workbook cell with
-- percentage format includes the percent sign. Systems that require an end date print 9999-12-31
-- for a rule without end.
{{ landed_typed_checked(
    'shared_costs',
    typed={
        'method_key': match_key('method'),
        'exact_percent': decimal_value("trim(trim(trailing '%' from trim(percent)))"),
        'valid_from_day': date_value('valid_from'),
        'valid_to_day': date_value('valid_to'),
        'has_no_end': "coalesce(valid_to, '') like '9999-12-31%'",
    },
    checks=[
        needs_text('Organization', 'organization'),
        needs_text('Method', 'method'),
        (
            'Method',
            'method',
            "method_key not in ('percent', 'even', 'directcost', 'seats', 'headcount')",
            'is not one of percent, even, direct_cost, seats, headcount'
        ),
        (
            'Shared Cost Center ID',
            'shared_cost_center_id',
            'coalesce(' ~ given_id('shared_cost_center_id') ~ ', '
            ~ given_id('subscription_id') ~ ', ' ~ text_value('product') ~ ') is null',
            'and Subscription ID and Product are empty'
        ),
        (
            'Shared Cost Center ID',
            'shared_cost_center_id',
            given_id('shared_cost_center_id') ~ ' is not null and coalesce('
            ~ given_id('subscription_id') ~ ', ' ~ text_value('product') ~ ') is not null',
            'is not the only source; give one cost center, subscription or product per row'
        ),
        (
            'Subscription ID',
            'subscription_id',
            given_id('subscription_id') ~ ' is not null and '
            ~ text_value('product') ~ ' is not null',
            'is not the only source; give one cost center, subscription or product per row'
        ),
        (
            'Cost Center ID',
            'cost_center_id',
            "method_key = 'percent' and " ~ given_id('cost_center_id') ~ ' is null',
            'is empty; a percentage needs a receiving cost center'
        ),
        (
            'Percent',
            'percent',
            "method_key = 'percent' and " ~ text_value('percent') ~ ' is null',
            'is empty'
        ),
        number_if_given('Percent', 'percent', 'exact_percent'),
        (
            'Percent',
            'percent',
            "method_key <> 'percent' and exact_percent is not null",
            'is given but the method is not percent'
        ),
        (
            'Percent',
            'percent',
            'exact_percent <= 0 or exact_percent > 100',
            'is not greater than 0 and at most 100'
        ),
        (
            'Percent',
            'percent',
            'exact_percent <> round(exact_percent, 8)',
            'has more than eight decimals'
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
            'not has_no_end and valid_to_day <= valid_from_day',
            'is not after Valid From'
        ),
    ],
) }},

renamed as (

    select
        file,
        row_number,
        content_hash,
        {{ text_value('organization') }} as organization,
        case
            when {{ given_id('shared_cost_center_id') }} is not null then 'cost_center'
            when {{ given_id('subscription_id') }} is not null then 'subscription'
            when {{ text_value('product') }} is not null then 'product'
        end as source_kind,
        coalesce(
            {{ given_id('shared_cost_center_id') }},
            {{ id_value('subscription_id') }},
            {{ text_value('product') }}
        ) as source_id,
        case when method_key = 'directcost' then 'direct_cost' else method_key end as method,
        {{ given_id('cost_center_id') }} as cost_center_id,
        cast(exact_percent as decimal(18, 8)) as percent,
        valid_from_day as valid_from,
        case when not has_no_end then valid_to_day end as valid_to,
        {{ rejection() }}
    from checked

)

select * from renamed
