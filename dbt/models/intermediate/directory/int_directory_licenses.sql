{#-
A view, in the schema of staging: this model holds persons, and no table may hold them beyond raw.
-#}
{{ config(materialized='view', schema='staging') }}
with

users as (

    select * from {{ ref('int_directory_users') }}

),

assigned as (

    select * from {{ ref('int_directory_assignments') }}

),

license_names as (

    select * from {{ ref('int_license_names') }}

),

days_with_assignments as (

    select
        organization_id,
        snapshot_date
    from assigned
    group by organization_id, snapshot_date

),

words_of_users as (

    select
        organization_id,
        snapshot_date,
        user_key,
        {{ each_word('license_names', '+') }} as license_word
    from users
    union all
    select
        organization_id,
        snapshot_date,
        user_key,
        {{ each_sku_id('assigned_licenses') }} as license_word
    from users
    union all
    -- Scripts write part numbers with commas or semicolons instead of Graph's JSON.
    select
        organization_id,
        snapshot_date,
        user_key,
        {{ each_word("replace(assigned_licenses, ';', ',')", ',') }} as license_word
    from users
    where substr(trim(assigned_licenses), 1, 1) not in ('[', chr(123))

),

-- An export of users lists their licenses too. It counts on days without a list of assignments.
listed_with_users as (

    select
        words_of_users.organization_id,
        words_of_users.snapshot_date,
        words_of_users.user_key,
        cast(null as string) as subscription_id,
        words_of_users.license_word
    from words_of_users
    left join days_with_assignments
        on
            words_of_users.organization_id
            is not distinct from days_with_assignments.organization_id
            and words_of_users.snapshot_date = days_with_assignments.snapshot_date
    where
        days_with_assignments.organization_id is null
        and {{ match_key('words_of_users.license_word') }} not in ('', 'unlicensed')

),

all_licenses as (

    select * from assigned
    union all
    select * from listed_with_users

),

-- One row per user and license of a snapshot, even if it is listed several times.
named as (

    select
        all_licenses.organization_id,
        all_licenses.snapshot_date,
        all_licenses.user_key,
        all_licenses.subscription_id,
        case
            when all_licenses.subscription_id is null
                then
                    lower(
                        coalesce(license_names.product_name, trim(all_licenses.license_word))
                    )
        end as license_key
    from all_licenses
    left join license_names
        on lower(trim(all_licenses.license_word)) = license_names.license_word
    where all_licenses.organization_id is not null
    group by
        all_licenses.organization_id,
        all_licenses.snapshot_date,
        all_licenses.user_key,
        all_licenses.subscription_id,
        license_key

)

select * from named
