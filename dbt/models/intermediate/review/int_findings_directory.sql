{{ config(materialized='view') }}
with

seats_in_use as (

    select * from {{ ref('int_directory_seats') }}

),

count_days as (

    select * from {{ ref('int_directory_count_days') }}

),

organizations as (

    select * from {{ ref('int_organizations') }}
    where split_source = 'directory'

),

all_billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

billing_lines as (

    select * from all_billing_lines
    where charge_source = 'license'

),

-- A bill that is split already needs no directory.
organizations_split_by_bill as (

    select organization_id
    from all_billing_lines
    group by organization_id
    having bool_and(split_cost_center_id is not null)

),

latest_states as (

    select
        organization_id,
        max(state_date) as state_date
    from seats_in_use
    group by organization_id

),

unknown_attributes as (

    select
        'unknown_attribute' as kind,
        seats_in_use.organization_id,
        cast(null as string) as subscription_id,
        cast(null as string) as billing_period,
        cast(null as string) as currency,
        cast(null as decimal(28, 10)) as amount_at_stake,
        concat_ws(
            '',
            'no cost center has the ', replace(seats_in_use.split_attribute, '_', ' '), ' ',
            case
                when seats_in_use.unknown_value is null then '(empty)'
                else concat_ws('', '"', seats_in_use.unknown_value, '"')
            end,
            ': ', cast(sum(seats_in_use.user_count) as string),
            ' license(s) in use are in Default'
        ) as message
    from seats_in_use
    inner join latest_states
        on
            seats_in_use.organization_id = latest_states.organization_id
            and seats_in_use.state_date = latest_states.state_date
    inner join organizations on seats_in_use.organization_id = organizations.organization_id
    where not seats_in_use.is_known and seats_in_use.is_in_use
    group by
        seats_in_use.organization_id, seats_in_use.split_attribute, seats_in_use.unknown_value

),

billed_products as (

    select
        organization_id,
        lower(product_name) as product_key,
        lower(coalesce(product_id, '')) as product_id_key,
        lower(coalesce(sku_id, '')) as sku_key
    from billing_lines
    group by all

),

unknown_licenses as (

    select
        'unknown_license' as kind,
        seats_in_use.organization_id,
        seats_in_use.subscription_id,
        cast(null as string) as billing_period,
        cast(null as string) as currency,
        cast(null as decimal(28, 10)) as amount_at_stake,
        concat_ws(
            '',
            cast(sum(seats_in_use.user_count) as string), ' license(s) of "',
            coalesce(seats_in_use.license_key, seats_in_use.subscription_id),
            '" are assigned but on no bill'
        ) as message
    from seats_in_use
    inner join latest_states
        on
            seats_in_use.organization_id = latest_states.organization_id
            and seats_in_use.state_date = latest_states.state_date
    left join billed_products
        on
            seats_in_use.organization_id = billed_products.organization_id
            and seats_in_use.license_key in (
                billed_products.product_key,
                billed_products.product_id_key,
                billed_products.sku_key,
                concat_ws('', billed_products.product_id_key, '/', billed_products.sku_key),
                concat_ws('', billed_products.product_id_key, ':', billed_products.sku_key)
            )
    left join billing_lines
        on seats_in_use.subscription_id = billing_lines.subscription_id
    where billed_products.organization_id is null and billing_lines.line_id is null
    group by
        seats_in_use.organization_id, seats_in_use.subscription_id, seats_in_use.license_key

),

-- Between two lists a user may have moved or left.
with_different_dates as (

    select
        'directory_dates_differ' as kind,
        seats_in_use.organization_id,
        cast(null as string) as subscription_id,
        cast(null as string) as billing_period,
        cast(null as string) as currency,
        cast(null as decimal(28, 10)) as amount_at_stake,
        concat_ws(
            '',
            'licenses of ', cast(seats_in_use.licenses_date as string),
            ' are counted with the users of ', cast(seats_in_use.users_date as string),
            '; export both lists on one day'
        ) as message
    from seats_in_use
    inner join count_days
        on
            seats_in_use.organization_id = count_days.organization_id
            and seats_in_use.state_date = count_days.state_date
    where seats_in_use.licenses_date <> seats_in_use.users_date
    group by
        seats_in_use.organization_id, seats_in_use.licenses_date, seats_in_use.users_date

),

without_directory as (

    select
        'directory_missing' as kind,
        organizations.organization_id,
        cast(null as string) as subscription_id,
        cast(null as string) as billing_period,
        cast(null as string) as currency,
        cast(null as decimal(28, 10)) as amount_at_stake,
        'the split source is the directory but no usable list of users and licenses has landed:'
        ' charges for licenses are in Default; land the lists in directory/, or change Split Source'
        ' in the list of organizations to history' as message
    from organizations
    left join latest_states on organizations.organization_id = latest_states.organization_id
    left join organizations_split_by_bill
        on organizations.organization_id = organizations_split_by_bill.organization_id
    where
        latest_states.organization_id is null
        and organizations_split_by_bill.organization_id is null

)

select * from unknown_attributes
union all
select * from unknown_licenses
union all
select * from with_different_dates
union all
select * from without_directory
