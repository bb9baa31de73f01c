{#-
Licenses that are assigned by product fill the subscriptions of that product in the order of their ids:
users and seats are both numbered, and a subscription has the users whose numbers fall in its range.
-#}
{{ config(materialized='view') }}
with

bought_seats as (

    select * from {{ ref('int_directory_bought_seats') }}
    where license_key is not null

),

count_days as (

    select * from {{ ref('int_directory_count_days') }}

),

seats_in_use as (

    select * from {{ ref('int_directory_seats') }}

),

numbered_seats as (

    select
        *,
        coalesce(
            sum(greatest(coalesce(seats, 0), 0)) over (
                partition by subscription_id, counted_on, count_reason, license_key
                order by sibling_id nulls last
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as low_seat,
        row_number() over (
            partition by subscription_id, counted_on, count_reason, license_key
            order by sibling_id desc nulls last
        ) = 1 as is_last
    from bought_seats

),

seat_ranges as (

    select
        subscription_id,
        counted_on,
        count_reason,
        license_key,
        low_seat,
        -- The last subscription receives all users that remain, so that none is lost where more
        -- licenses are assigned than bought.
        case
            when is_last then {{ number_limit() }}
            else low_seat + greatest(coalesce(seats, 0), 0)
        end as high_seat
    from numbered_seats
    where subscription_id = sibling_id

),

users as (

    select
        seat_ranges.subscription_id,
        seat_ranges.counted_on,
        seat_ranges.count_reason,
        seat_ranges.license_key,
        seat_ranges.low_seat,
        seat_ranges.high_seat,
        seats_in_use.cost_center_id,
        seats_in_use.is_in_use,
        sum(seats_in_use.user_count) as user_count
    from seat_ranges
    inner join count_days
        on
            seat_ranges.subscription_id = count_days.subscription_id
            and seat_ranges.counted_on = count_days.counted_on
            and seat_ranges.count_reason = count_days.count_reason
    inner join seats_in_use
        on
            count_days.organization_id = seats_in_use.organization_id
            and count_days.state_date = seats_in_use.state_date
            and seat_ranges.license_key = seats_in_use.license_key
    group by
        seat_ranges.subscription_id,
        seat_ranges.counted_on,
        seat_ranges.count_reason,
        seat_ranges.license_key,
        seat_ranges.low_seat,
        seat_ranges.high_seat,
        seats_in_use.cost_center_id,
        seats_in_use.is_in_use

),

-- Users who have left are numbered after all others.
numbered_users as (

    select
        *,
        sum(user_count) over (
            partition by subscription_id, counted_on, count_reason, license_key
            order by is_in_use desc nulls last, cost_center_id nulls last
            rows between unbounded preceding and current row
        ) as high_user
    from users

),

placed as (

    select
        subscription_id,
        counted_on,
        count_reason,
        license_key,
        cost_center_id,
        is_in_use,
        greatest(
            least(high_user, high_seat) - greatest(high_user - user_count, low_seat), 0
        ) as user_count
    from numbered_users

)

select * from placed
