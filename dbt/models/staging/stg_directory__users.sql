{#-
Personal data ends here: models that read this model only count users. A view, because no table may
hold persons beyond raw.
-#}
{{ config(materialized='view') }}

with

{{ landed_typed_checked(
    'directory_users',
    typed={
        'is_enabled_flag': flag_value('account_enabled'),
        'is_blocked_flag': flag_value('block_credential'),
        'snapshot_day': snapshot_day(),
    },
    checks=directory_checks() + [
        (
            'Account Enabled',
            'account_enabled',
            text_value('account_enabled') ~ ' is not null and is_enabled_flag is null',
            'is neither true nor false'
        ),
    ],
) }},

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
        {{ given_id('charge_code') }} as charge_code,
        coalesce(is_enabled_flag, not is_blocked_flag, true) as is_enabled,
        -- The admin center's export joins products by plus signs; Graph lists ids.
        {{ text_value('licenses') }} as license_names,
        {{ text_value('assigned_licenses') }} as assigned_licenses,
        {{ rejection() }}
    from checked

)

select * from renamed
