with

-- Systems that require an end date print 9999-12-31 for a cost center without end.
{{ landed_typed_checked(
    'cost_centers',
    typed={
        'is_default_flag': flag_value('is_default'),
        'is_shared_flag': flag_value('is_shared'),
        'valid_from_day': date_value('valid_from'),
        'valid_to_day': date_value('valid_to'),
        'has_no_end': "coalesce(valid_to, '') like '9999-12-31%'",
    },
    checks=[
        needs_id('Cost Center ID', 'cost_center_id'),
        needs_text('Organization', 'organization'),
        needs_text('Name', 'name'),
        (
            'Is Default',
            'is_default',
            text_value('is_default') ~ ' is not null and is_default_flag is null',
            'is neither yes nor no'
        ),
        (
            'Is Shared',
            'is_shared',
            text_value('is_shared') ~ ' is not null and is_shared_flag is null',
            'is neither yes nor no'
        ),
        date_if_given('Valid From', 'valid_from', 'valid_from_day'),
        date_if_given(
            'Valid To',
            'valid_to',
            "case when has_no_end then date '2199-12-31' else valid_to_day end"
        ),
    ],
) }},

renamed as (

    select
        file,
        row_number,
        content_hash,
        {{ given_id('cost_center_id') }} as cost_center_id,
        {{ text_value('organization') }} as organization,
        {{ text_value('name') }} as cost_center_name,
        {{ given_id('parent_id') }} as parent_id,
        {{ text_value('business_unit') }} as business_unit,
        {{ text_value('location') }} as location,
        {{ given_id('charge_code') }} as charge_code,
        {{ given_id('gl_account') }} as gl_account,
        coalesce(is_default_flag, false) as is_default,
        coalesce(is_shared_flag, false) as is_shared,
        {{ given_id('successor_id') }} as successor_id,
        cast(valid_from_day as timestamp) as valid_from,
        case when not has_no_end then cast(valid_to_day as timestamp) end as valid_to,
        {{ rejection() }}
    from checked

)

select * from renamed
