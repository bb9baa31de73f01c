with

landed as (

    select
        landed_rows.*,
        {{ whole_row('landed_rows') }} as landed_row
    from {{ source('raw', 'organizations') }} as landed_rows

),

checked as (

    select
        landed.*,
        {{ failed_check([
            needs_text('Organization', 'organization'),
            needs_text('Name', 'name'),
            (
                'Refund Policy',
                'refund_policy',
                text_value('refund_policy') ~ " is not null and lower(trim(refund_policy))"
                ~ " not in ('as_documented', 'mirror_original')",
                'is neither as_documented nor mirror_original'
            ),
        ]) }}
    from landed

),

renamed as (

    select
        file,
        row_number,
        content_hash,
        {{ text_value('organization') }} as organization_id,
        {{ text_value('name') }} as organization_name,
        {{ id_value('tenant_id') }} as tenant_id,
        {{ text_value('domain') }} as domain,
        upper({{ text_value('currency') }}) as currency,
        coalesce(lower({{ text_value('refund_policy') }}), 'as_documented') as refund_policy,
        {{ text_value('split_source') }} as split_source,
        {{ text_value('split_attribute') }} as split_attribute,
        rejected_column,
        rejected_value,
        rejected_reason,
        case
            when rejected_reason is not null then {{ row_as_json('landed_row') }}
        end as raw_row
    from checked

)

select * from renamed
