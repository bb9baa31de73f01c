{#-
The number of people with an enabled account per cost center. They are placed by the same attribute as
their licenses (int_directory_seats). Persons are counted here: this table holds none.
-#}
with

users as (

    select * from {{ ref('int_directory_users') }}
    where organization_id is not null

),

organizations as (

    select * from {{ ref('int_organizations') }}

),

cost_center_words as (

    select * from {{ ref('int_cost_center_words') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

counted as (

    select
        users.organization_id,
        users.snapshot_date,
        coalesce(organizations.split_attribute, 'department') as split_attribute,
        lower(
            trim(
                case coalesce(organizations.split_attribute, 'department')
                    when 'location' then users.location
                    when 'charge_code' then users.charge_code
                    else users.department
                end
            )
        ) as word,
        sum(case when users.is_enabled then 1 else 0 end) as user_count
    from users
    left join organizations on users.organization_id = organizations.organization_id
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
