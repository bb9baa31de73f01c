{#-
The number of people with each license, by the attributes that the directory has for them. Persons are
counted here: this table holds none.
-#}
with

users as (

    select * from {{ ref('int_directory_users') }}

),

licenses as (

    select * from {{ ref('int_directory_licenses') }}

),

user_days as (

    select
        organization_id,
        snapshot_date
    from users
    where organization_id is not null
    group by organization_id, snapshot_date

),

license_days as (

    select
        organization_id,
        snapshot_date
    from licenses
    group by organization_id, snapshot_date

),

days as (

    select * from user_days
    union
    select * from license_days

),

-- Users and licenses may be listed on different days: each day of either makes a state.
states as (

    select
        days.organization_id,
        days.snapshot_date as state_date,
        max(license_days.snapshot_date) as licenses_date,
        max(user_days.snapshot_date) as users_date
    from days
    inner join license_days
        on
            days.organization_id = license_days.organization_id
            and days.snapshot_date >= license_days.snapshot_date
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
        states.licenses_date,
        states.users_date,
        licenses.subscription_id,
        licenses.license_key,
        users.department,
        users.location,
        users.charge_code,
        -- A user who has left is disabled or no longer listed. Before the first list of users, all
        -- licenses count as in use.
        coalesce(users.is_enabled, states.users_date is null) as is_in_use,
        count(*) as user_count
    from states
    inner join licenses
        on
            states.organization_id = licenses.organization_id
            and states.licenses_date = licenses.snapshot_date
    left join users
        on
            licenses.user_key = users.user_key
            and states.users_date = users.snapshot_date
    group by
        states.organization_id,
        states.state_date,
        states.licenses_date,
        states.users_date,
        licenses.subscription_id,
        licenses.license_key,
        users.department,
        users.location,
        users.charge_code,
        coalesce(users.is_enabled, states.users_date is null)

)

select * from counted
