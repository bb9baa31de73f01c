with

{{ landed_typed_checked(
    'organizations',
    typed={
        'split_source_key': match_key('split_source'),
        'split_attribute_key': match_key('split_attribute'),
    },
    checks=[
        needs_text('Organization', 'organization'),
        needs_text('Name', 'name'),
        (
            'Refund Policy',
            'refund_policy',
            text_value('refund_policy') ~ " is not null and lower(trim(refund_policy))"
            ~ " not in ('as_documented', 'mirror_original')",
            'is neither as_documented nor mirror_original'
        ),
        (
            'Split Source',
            'split_source',
            text_value('split_source') ~ " is not null and split_source_key not in"
            ~ " ('directory', 'splithistory', 'history')",
            'is neither directory nor split history'
        ),
        (
            'Split Attribute',
            'split_attribute',
            text_value('split_attribute') ~ " is not null and split_attribute_key not in"
            ~ " ('department', 'location', 'officelocation', 'chargecode')",
            'is not one of department, location and charge code'
        ),
    ],
) }},

renamed as (

    select
        file,
        row_number,
        content_hash,
        {{ text_value('organization') }} as organization_id,
        {{ text_value('name') }} as organization_name,
        {{ id_value('tenant_id') }} as tenant_id,
        {{ text_value('domain') }} as domain,
        upper({{ given_id('currency') }}) as currency,
        coalesce(lower({{ text_value('refund_policy') }}), 'as_documented') as refund_policy,
        case when split_source_key = 'directory' then 'directory' else 'history' end
            as split_source,
        case split_attribute_key
            when 'chargecode' then 'charge_code'
            when 'officelocation' then 'location'
            else {{ text_value('split_attribute_key') }}
        end as split_attribute,
        {{ rejection() }}
    from checked

)

select * from renamed
