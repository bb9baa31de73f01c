{#-
How many people have which license, by what the directory says of them, on each day of which it
has a snapshot. Users are counted here and forgotten: this table knows no person.
-#}
with

users as (

    select * from {{ ref('stg_directory__users') }}
    where rejected_reason is null

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

license_skus as (

    select * from {{ ref('license_skus') }}

),

-- Where only one organization has a directory, a row that names none is of that one.
only_organization as (

    {{ only_directory_organization() }}

),

known_users as (

    {{ users_with_organization() }}

),

current_users as (

    select * from known_users
    where newest_first = 1

),

organization_by_user as (

    select
        user_key,
        max(organization_id) as organization_id
    from current_users
    group by user_key

),

-- Who is listed by id, and assigned a license by sign-in name, is one person.
sign_in_names as (

    select
        sign_in_name,
        max(user_key) as user_key
    from current_users
    where sign_in_name is not null
    group by sign_in_name

),

known_assignments as (

    select
        assignments.* exclude (user_key),
        coalesce(sign_in_names.user_key, assignments.user_key) as user_key
    from assignments
    left join sign_in_names on assignments.user_key = sign_in_names.sign_in_name

),

landed_assignments as (

    select
        coalesce(
            by_name.organization_id,
            line_organizations.organization_id,
            by_domain.organization_id,
            organization_by_user.organization_id,
            only_organization.organization_id,
            'unassigned'
        ) as organization_id,
        known_assignments.snapshot_date,
        known_assignments.user_key,
        known_assignments.subscription_id,
        known_assignments.sku as license_word
    from known_assignments
    inner join files on known_assignments.content_hash = files.content_hash
    cross join only_organization
    left join organization_keys as by_name
        on lower(known_assignments.organization) = by_name.organization_key
    left join line_organizations
        on known_assignments.subscription_id = line_organizations.subscription_id
    left join organization_keys as by_domain
        on known_assignments.user_domain = by_domain.organization_key
    left join organization_by_user on known_assignments.user_key = organization_by_user.user_key

),

with_own_assignments as (

    select
        organization_id,
        snapshot_date
    from landed_assignments
    group by organization_id, snapshot_date

),

-- An export of users lists their licenses too; it counts where no list of assignments is of that
-- day.
licenses_of_users as (

    select
        organization_id,
        snapshot_date,
        user_key,
        {{ each_word('license_names', '+') }} as license_word
    from current_users
    union all
    select
        organization_id,
        snapshot_date,
        user_key,
        {{ each_sku_id('assigned_licenses') }} as license_word
    from current_users

),

listed_with_users as (

    select
        licenses_of_users.organization_id,
        licenses_of_users.snapshot_date,
        licenses_of_users.user_key,
        cast(null as varchar) as subscription_id,
        licenses_of_users.license_word
    from licenses_of_users
    left join with_own_assignments
        on
            licenses_of_users.organization_id
            is not distinct from with_own_assignments.organization_id
            and licenses_of_users.snapshot_date = with_own_assignments.snapshot_date
    where
        with_own_assignments.organization_id is null
        and {{ match_key('licenses_of_users.license_word') }} not in ('', 'unlicensed')

),

all_assignments as (

    select * from landed_assignments
    union all
    select * from listed_with_users

),

-- One row per user and license of a snapshot, however often it is listed.
named as (

    select
        all_assignments.organization_id,
        all_assignments.snapshot_date,
        all_assignments.user_key,
        all_assignments.subscription_id,
        case
            when all_assignments.subscription_id is null
                then
                    lower(
                        coalesce(
                            by_id.product_name,
                            by_part_number.product_name,
                            trim(all_assignments.license_word)
                        )
                    )
        end as license_key
    from all_assignments
    left join license_skus as by_id
        on lower(trim(all_assignments.license_word)) = by_id.sku_id
    left join license_skus as by_part_number
        on lower(trim(all_assignments.license_word)) = lower(by_part_number.sku_part_number)
    where all_assignments.organization_id is not null
    group by
        all_assignments.organization_id,
        all_assignments.snapshot_date,
        all_assignments.user_key,
        all_assignments.subscription_id,
        license_key

),

-- Users and assignments may be listed on different days: each day of either makes a state.
user_days as (

    select
        organization_id,
        snapshot_date
    from current_users
    where organization_id is not null
    group by organization_id, snapshot_date

),

assignment_days as (

    select
        organization_id,
        snapshot_date
    from named
    group by organization_id, snapshot_date

),

days as (

    select * from user_days
    union
    select * from assignment_days

),

states as (

    select
        days.organization_id,
        days.snapshot_date as state_date,
        max(assignment_days.snapshot_date) as assignments_date,
        max(user_days.snapshot_date) as users_date
    from days
    inner join assignment_days
        on
            days.organization_id = assignment_days.organization_id
            and days.snapshot_date >= assignment_days.snapshot_date
    left join user_days
        on
            days.organization_id = user_days.organization_id
            and days.snapshot_date >= user_days.snapshot_date
    group by days.organization_id, days.snapshot_date

),

counted as (

    select
        states.organization_id,
        states.state_date,
        named.subscription_id,
        named.license_key,
        current_users.department,
        current_users.location,
        current_users.charge_code,
        -- Who has left is in the list of users no more, or is disabled. Without any such list
        -- nobody is known to have left.
        coalesce(current_users.is_enabled, states.users_date is null) as is_in_use,
        count(*) as user_count
    from states
    inner join named
        on
            states.organization_id = named.organization_id
            and states.assignments_date = named.snapshot_date
    left join current_users
        on
            named.user_key = current_users.user_key
            and states.users_date = current_users.snapshot_date
    group by
        states.organization_id,
        states.state_date,
        named.subscription_id,
        named.license_key,
        current_users.department,
        current_users.location,
        current_users.charge_code,
        coalesce(current_users.is_enabled, states.users_date is null)

)

select * from counted
