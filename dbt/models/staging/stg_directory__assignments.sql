{#-
Personal data ends here: models that read this model only count users. A view, because no table may
hold persons beyond raw.
-#}
{{ config(materialized='view') }}

with

{{ landed_typed_checked(
    'directory_assignments',
    typed={
        'snapshot_day': snapshot_day(),
    },
    checks=directory_checks() + [
        (
            'Subscription ID',
            'subscription_id',
            given_id('subscription_id') ~ ' is null and ' ~ given_id('sku')
            ~ ' is null',
            'and SKU are empty'
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
        {{ domain_of('user_principal_name') }} as user_domain,
        {{ id_value('subscription_id') }} as subscription_id,
        {{ id_value('sku') }} as sku,
        {{ rejection() }}
    from checked

)

select * from renamed
