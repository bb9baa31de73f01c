{#- Personal data ends here: models that read this model only count users. -#}
with

landed as (

    select
        landed_rows.*,
        {{ whole_row('landed_rows') }} as landed_row
    from {{ source('raw', 'directory_assignments') }} as landed_rows

),

typed as (

    select
        landed.*,
        {{ snapshot_day() }} as snapshot_day
    from landed

),

checked as (

    select
        typed.*,
        {{ failed_check(directory_checks() + [
            (
                'Subscription ID',
                'subscription_id',
                given_value('subscription_id') ~ ' is null and ' ~ given_value('sku')
                ~ ' is null',
                'and SKU are empty'
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
        {{ domain_of('user_principal_name') }} as user_domain,
        {{ id_value('subscription_id') }} as subscription_id,
        {{ id_value('sku') }} as sku,
        {{ rejection() }}
    from checked

)

select * from renamed
