with

count_days as (

    select * from {{ ref('int_directory_count_days') }}

),

seats_in_use as (

    select * from {{ ref('int_directory_seats') }}

),

product_seats as (

    select * from {{ ref('int_directory_product_seats') }}

),

own_seats as (

    select * from {{ ref('int_directory_bought_seats') }}
    where license_key is null

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

by_product as (

    select
        subscription_id,
        counted_on,
        count_reason,
        cost_center_id,
        is_in_use,
        user_count
    from product_seats

),

by_subscription as (

    select
        count_days.subscription_id,
        count_days.counted_on,
        count_days.count_reason,
        seats_in_use.cost_center_id,
        seats_in_use.is_in_use,
        seats_in_use.user_count
    from count_days
    inner join seats_in_use
        on
            count_days.organization_id = seats_in_use.organization_id
            and count_days.state_date = seats_in_use.state_date
            and count_days.subscription_id = seats_in_use.subscription_id

),

-- Every count has a row for Default, even if no license is assigned.
zero_for_default as (

    select
        count_days.subscription_id,
        count_days.counted_on,
        count_days.count_reason,
        default_cost_centers.cost_center_id,
        true as is_in_use,
        0 as user_count
    from count_days
    inner join default_cost_centers
        on count_days.organization_id = default_cost_centers.organization_id

),

combined as (

    select * from by_product
    union all
    select * from by_subscription
    union all
    select * from zero_for_default

),

summed as (

    select
        subscription_id,
        counted_on,
        count_reason,
        cost_center_id,
        cast(sum(case when is_in_use then user_count else 0 end) as decimal(28, 10))
            as assigned_quantity,
        cast(sum(case when is_in_use then 0 else user_count end) as decimal(28, 10))
            as leaver_quantity
    from combined
    group by subscription_id, counted_on, count_reason, cost_center_id

)

select
    count_days.organization_id,
    summed.*,
    cast(own_seats.seats as decimal(28, 10)) as bought_quantity
from summed
inner join count_days
    on
        summed.subscription_id = count_days.subscription_id
        and summed.counted_on = count_days.counted_on
        and summed.count_reason = count_days.count_reason
inner join own_seats
    on
        summed.subscription_id = own_seats.subscription_id
        and summed.counted_on = own_seats.counted_on
        and summed.count_reason = own_seats.count_reason
