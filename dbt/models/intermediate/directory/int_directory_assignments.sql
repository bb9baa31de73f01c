{#-
A view, in the schema of staging: this model holds persons, and no table may hold them beyond raw.
-#}
{{ config(materialized='view', schema='staging') }}
with

users as (

    select * from {{ ref('int_directory_users') }}

),

assignments as (

    select * from {{ ref('stg_directory__assignments') }}
    where rejected_reason is null

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where status = 'loaded'

),

organizations as (

    select * from {{ ref('int_organizations') }}

),

organization_keys as (

    select * from {{ ref('int_organization_keys') }}

),

line_organizations as (

    select
        subscription_id,
        min(organization_id) as organization_id
    from {{ ref('int_line_organizations') }}
    where subscription_id is not null
    group by subscription_id

),

only_organization as (

    {{ only_directory_organization() }}

),

organization_by_user as (

    select
        user_key,
        max(organization_id) as organization_id
    from users
    group by user_key

),

-- A user who is listed by id, and assigned a license by sign-in name, is one person.
sign_in_names as (

    select
        sign_in_name,
        max(user_key) as user_key
    from users
    where sign_in_name is not null
    group by sign_in_name

),

identified as (

    select
        assignments.* {{ without('user_key') }},
        coalesce(sign_in_names.user_key, assignments.user_key) as user_key
    from assignments
    left join sign_in_names on assignments.user_key = sign_in_names.sign_in_name

),

assigned as (

    select
        coalesce(
            by_name.organization_id,
            line_organizations.organization_id,
            by_domain.organization_id,
            organization_by_user.organization_id,
            only_organization.organization_id,
            'unassigned'
        ) as organization_id,
        identified.snapshot_date,
        identified.user_key,
        identified.subscription_id,
        identified.sku as license_word
    from identified
    inner join files on identified.content_hash = files.content_hash
    cross join only_organization
    left join organization_keys as by_name
        on lower(identified.organization) = by_name.organization_key
    left join line_organizations
        on identified.subscription_id = line_organizations.subscription_id
    left join organization_keys as by_domain
        on identified.user_domain = by_domain.organization_key
    left join organization_by_user on identified.user_key = organization_by_user.user_key

)

select * from assigned
