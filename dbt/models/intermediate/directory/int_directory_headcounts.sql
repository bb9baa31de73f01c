{#-
How many people with an enabled account each cost center has, on each day on which users are listed.
People find their cost center as their licenses do (int_directory_seats). Users are counted here and
forgotten: this table knows no person.
-#}
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

cost_center_words as (

    select * from {{ ref('int_cost_center_words') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

only_organization as (

    {{ only_directory_organization() }}

),

known_users as (

    {{ users_with_organization() }}

),

counted as (

    select
        known_users.organization_id,
        known_users.snapshot_date,
        coalesce(organizations.split_attribute, 'department') as split_attribute,
        lower(
            trim(
                case coalesce(organizations.split_attribute, 'department')
                    when 'location' then known_users.location
                    when 'charge_code' then known_users.charge_code
                    else known_users.department
                end
            )
        ) as word,
        sum(case when known_users.is_enabled then 1 else 0 end) as user_count
    from known_users
    left join organizations on known_users.organization_id = organizations.organization_id
    where known_users.newest_first = 1 and known_users.organization_id is not null
    group by all

),

placed as (

    select
        counted.organization_id,
        counted.snapshot_date,
        coalesce(
            by_id.cost_center_id,
            by_attribute.cost_center_id,
            default_cost_centers.cost_center_id
        ) as cost_center_id,
        sum(counted.user_count) as user_count
    from counted
    inner join default_cost_centers
        on counted.organization_id = default_cost_centers.organization_id
    left join cost_center_words as by_id
        on
            counted.organization_id = by_id.organization_id
            and counted.word = by_id.word
            and by_id.word_kind = 'cost_center_id'
    left join cost_center_words as by_attribute
        on
            counted.organization_id = by_attribute.organization_id
            and counted.word = by_attribute.word
            and counted.split_attribute = by_attribute.word_kind
    group by all

)

select * from placed
