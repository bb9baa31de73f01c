{#-
Directory counts per cost center. The split attribute of the organization (department, location or
charge code; department by default) identifies the cost center. Users whose value matches no cost
center count for Default.
-#}
with

directory_counts as (

    select * from {{ ref('int_directory_counts') }}

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

with_value as (

    select
        directory_counts.organization_id,
        directory_counts.state_date,
        directory_counts.licenses_date,
        directory_counts.users_date,
        directory_counts.subscription_id,
        directory_counts.license_key,
        directory_counts.is_in_use,
        directory_counts.user_count,
        coalesce(organizations.split_attribute, 'department') as split_attribute,
        case coalesce(organizations.split_attribute, 'department')
            when 'location' then directory_counts.location
            when 'charge_code' then directory_counts.charge_code
            else directory_counts.department
        end as attribute_value
    from directory_counts
    left join organizations
        on directory_counts.organization_id = organizations.organization_id

),

placed as (

    select
        with_value.*,
        coalesce(by_id.cost_center_id, by_attribute.cost_center_id) as named_cost_center_id,
        coalesce(
            by_id.cost_center_id,
            by_attribute.cost_center_id,
            default_cost_centers.cost_center_id
        ) as cost_center_id
    from with_value
    inner join default_cost_centers
        on with_value.organization_id = default_cost_centers.organization_id
    left join cost_center_words as by_id
        on
            with_value.organization_id = by_id.organization_id
            and lower(trim(with_value.attribute_value)) = by_id.word
            and by_id.word_kind = 'cost_center_id'
    left join cost_center_words as by_attribute
        on
            with_value.organization_id = by_attribute.organization_id
            and lower(trim(with_value.attribute_value)) = by_attribute.word
            and with_value.split_attribute = by_attribute.word_kind

),

summed as (

    select
        organization_id,
        state_date,
        licenses_date,
        users_date,
        subscription_id,
        license_key,
        cost_center_id,
        is_in_use,
        split_attribute,
        -- Only values that match no cost center are kept, for a finding.
        case when named_cost_center_id is null then attribute_value end as unknown_value,
        named_cost_center_id is not null as is_known,
        sum(user_count) as user_count
    from placed
    group by
        organization_id,
        state_date,
        licenses_date,
        users_date,
        subscription_id,
        license_key,
        cost_center_id,
        is_in_use,
        split_attribute,
        case when named_cost_center_id is null then attribute_value end,
        named_cost_center_id is not null

)

select * from summed
