{#-
A view, in the schema of staging: this model holds persons, and no table may hold them beyond raw.
-#}
{{ config(materialized='view', schema='staging') }}
with

users as (

    select * from {{ ref('stg_directory__users') }}
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

only_organization as (

    {{ only_directory_organization() }}

),

ranked as (

    select
        users.*,
        coalesce(
            by_name.organization_id, by_domain.organization_id, only_organization.organization_id
        ) as organization_id,
        {{ newest_first(['users.snapshot_date', 'users.user_key'], rows='users') }}
    from users
    inner join files on users.content_hash = files.content_hash
    cross join only_organization
    left join organization_keys as by_name
        on lower(users.organization) = by_name.organization_key
    left join organization_keys as by_domain
        on users.user_domain = by_domain.organization_key

)

select
    organization_id,
    snapshot_date,
    user_key,
    sign_in_name,
    department,
    location,
    charge_code,
    is_enabled,
    license_names,
    assigned_licenses
from ranked
where newest_first = 1
