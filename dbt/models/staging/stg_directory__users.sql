{#- Personal data ends here: what reads this model counts, and keeps nobody. -#}
with

landed as (

    select
        landed_rows.*,
        {{ whole_row('landed_rows') }} as landed_row
    from {{ source('raw', 'directory_users') }} as landed_rows

),

typed as (

    select
        landed.*,
        {{ flag_value('account_enabled') }} as is_enabled_flag,
        {{ flag_value('block_credential') }} as is_blocked_flag,
        -- An export as downloaded has no date in it: the file's or the folder's name has.
        case
            when {{ text_value('snapshot_date') }} is null then {{ date_in_name('file') }}
            else {{ date_value('snapshot_date') }}
        end as snapshot_day
    from landed

),

checked as (

    select
        typed.*,
        {{ failed_check([
            (
                'User ID',
                'user_id',
                'coalesce(' ~ text_value('user_id') ~ ', ' ~ text_value('user_principal_name')
                ~ ') is null',
                'is empty'
            ),
            (
                'Snapshot Date',
                'snapshot_date',
                'snapshot_day is null and ' ~ text_value('snapshot_date') ~ ' is not null',
                'is not a date we can read without guessing (write 2025-12-17 or 17 Dec 2025)'
            ),
            (
                'Snapshot Date',
                'snapshot_date',
                'snapshot_day is null',
                'is missing, and neither the name of the file nor of its folder has a date'
                ~ ' (like users-2026-01-31.csv)'
            ),
            (
                'Account Enabled',
                'account_enabled',
                text_value('account_enabled') ~ ' is not null and is_enabled_flag is null',
                'is neither true nor false'
            ),
        ]) }}
    from typed

),

renamed as (

    select
        file,
        row_number,
        content_hash,
        snapshot_day as snapshot_date,
        {{ text_value('organization') }} as organization,
        {{ user_key() }} as user_key,
        lower({{ text_value('user_principal_name') }}) as sign_in_name,
        {{ domain_of('user_principal_name') }} as user_domain,
        {{ text_value('department') }} as department,
        {{ text_value('office_location') }} as location,
        {{ text_value('charge_code') }} as charge_code,
        coalesce(is_enabled_flag, not is_blocked_flag, true) as is_enabled,
        -- The admin center's export lists products joined by a plus sign, Graph lists ids.
        {{ text_value('licenses') }} as license_names,
        {{ text_value('assigned_licenses') }} as assigned_licenses,
        rejected_column,
        rejected_value,
        rejected_reason,
        case
            when rejected_reason is not null then {{ row_as_json('landed_row') }}
        end as raw_row
    from checked

)

select * from renamed
