{#-
Licenses in use per subscription and cost center on the days on which they are counted: the ends of
billing cycles, the day a subscription comes under the directory, and today's last state. A license
that is assigned by product only fills the subscriptions of that product in the order of their ids.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where charge_source = 'license' and subscription_id is not null

),

seat_ledger as (

    select * from {{ ref('int_seat_ledger') }}

),

seats_in_use as (

    select * from {{ ref('int_directory_seats') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

states as (

    select
        organization_id,
        state_date,
        coalesce(
            lead(state_date) over (
                partition by organization_id
                order by state_date
            ),
            date '9999-12-31'
        ) as next_state_date
    from seats_in_use
    group by organization_id, state_date

),

first_states as (

    select
        organization_id,
        min(state_date) as first_state_date,
        max(state_date) as last_state_date
    from states
    group by organization_id

),

subscriptions as (

    select
        subscription_id,
        min(organization_id) as organization_id,
        lower(max_by(product_name, concat(billing_date, line_id))) as product_key,
        lower(max_by(coalesce(product_id, ''), concat(billing_date, line_id))) as product_id_key,
        lower(max_by(coalesce(sku_id, ''), concat(billing_date, line_id))) as sku_key,
        min(charge_start_date) as first_charge_date,
        max(charge_end_date) as last_charge_date
    from billing_lines
    group by subscription_id

),

last_bill as (

    select max(billing_date) as billing_date
    from billing_lines

),

cycle_ends as (

    select
        billing_lines.subscription_id,
        billing_lines.charge_end_date as counted_on,
        'cycle end' as count_reason
    from billing_lines
    cross join last_bill
    where
        -- No cycle is counted before it is over.
        billing_lines.charge_end_date < last_bill.billing_date
        -- Pieces of a legacy bill end within their cycle.
        and (
            billing_lines.charge_kind = 'cycle'
            or billing_lines.source_format <> 'legacy_license_based'
        )
    group by billing_lines.subscription_id, billing_lines.charge_end_date

),

-- A first count, for the cycle that is there before any has ended.
openings as (

    select
        subscriptions.subscription_id,
        greatest(
            cast({{ dbt.dateadd('day', -1, 'subscriptions.first_charge_date') }} as date),
            first_states.first_state_date
        ) as counted_on,
        'opening' as count_reason
    from subscriptions
    inner join first_states on subscriptions.organization_id = first_states.organization_id

),

latest as (

    select
        subscriptions.subscription_id,
        first_states.last_state_date as counted_on,
        'latest' as count_reason
    from subscriptions
    inner join first_states on subscriptions.organization_id = first_states.organization_id

),

count_days as (

    select * from cycle_ends
    union all
    select * from openings
    union all
    select * from latest

),

-- The directory as of the end of the day.
with_state as (

    select
        count_days.subscription_id,
        count_days.counted_on,
        count_days.count_reason,
        subscriptions.organization_id,
        states.state_date
    from count_days
    inner join subscriptions on count_days.subscription_id = subscriptions.subscription_id
    inner join states
        on
            subscriptions.organization_id = states.organization_id
            and count_days.counted_on >= states.state_date
            and count_days.counted_on < states.next_state_date

),

-- What a license may be called by that is assigned by product.
subscription_words as (

    {% for word in [
        'product_key',
        'product_id_key',
        'sku_key',
        "concat(product_id_key, '/', sku_key)",
        "concat(product_id_key, ':', sku_key)",
    ] %}
        select
            subscription_id,
            organization_id,
            {{ word }} as word
        from subscriptions
        {% if not loop.last %}union{% endif %}
    {% endfor %}

),

-- Each subscription with all that share a word with it, and once with itself alone.
pairs as (

    select
        with_state.subscription_id,
        with_state.counted_on,
        with_state.count_reason,
        seats_in_use.license_key,
        sibling_words.subscription_id as sibling_id
    from with_state
    inner join subscription_words
        on with_state.subscription_id = subscription_words.subscription_id
    inner join seats_in_use
        on
            with_state.organization_id = seats_in_use.organization_id
            and with_state.state_date = seats_in_use.state_date
            and subscription_words.word = seats_in_use.license_key
    inner join subscription_words as sibling_words
        on
            with_state.organization_id = sibling_words.organization_id
            and seats_in_use.license_key = sibling_words.word
    group by
        with_state.subscription_id,
        with_state.counted_on,
        with_state.count_reason,
        seats_in_use.license_key,
        sibling_words.subscription_id
    union all
    select
        subscription_id,
        counted_on,
        count_reason,
        cast(null as varchar) as license_key,
        subscription_id as sibling_id
    from with_state

),

-- The day whose seats count. A subscription comes under the directory on the eve of its first
-- charge. The last list may be of a day before the first bill or after the last one: a
-- subscription that the last bill still has is there with the seats it had.
seat_days as (

    select
        pairs.*,
        case
            when pairs.count_reason = 'opening'
                then cast({{ dbt.dateadd('day', 1, 'pairs.counted_on') }} as date)
            when pairs.count_reason = 'cycle end' then pairs.counted_on
            when pairs.counted_on < siblings.first_charge_date then siblings.first_charge_date
            when
                pairs.counted_on > siblings.last_charge_date
                and siblings.last_charge_date
                >= cast(
                    {{ dbt.dateadd('day', -1, dbt.date_trunc('month', 'last_bill.billing_date')) }}
                    as date
                )
                then siblings.last_charge_date
            else pairs.counted_on
        end as seats_on
    from pairs
    inner join subscriptions as siblings on pairs.sibling_id = siblings.subscription_id
    cross join last_bill

),

with_seats as (

    select
        seat_days.subscription_id,
        seat_days.counted_on,
        seat_days.count_reason,
        seat_days.license_key,
        seat_days.sibling_id,
        arg_max(seat_ledger.seats, seat_ledger.valid_from_date) as seats
    from seat_days
    left join seat_ledger
        on
            seat_days.sibling_id = seat_ledger.subscription_id
            and seat_days.seats_on >= seat_ledger.valid_from_date
    group by
        seat_days.subscription_id,
        seat_days.counted_on,
        seat_days.count_reason,
        seat_days.license_key,
        seat_days.sibling_id

),

own_seats as (

    select * from with_seats
    where license_key is null

),

filled as (

    select
        *,
        coalesce(
            sum(greatest(coalesce(seats, 0), 0)) over (
                partition by subscription_id, counted_on, count_reason, license_key
                order by sibling_id
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as low_seat,
        row_number() over (
            partition by subscription_id, counted_on, count_reason, license_key
            order by sibling_id desc
        ) = 1 as is_last
    from with_seats
    where license_key is not null

),

ranges as (

    select
        subscription_id,
        counted_on,
        count_reason,
        license_key,
        low_seat,
        -- The last one takes all that is left, so that nobody is lost where too many are assigned.
        case
            when is_last then 1000000000000
            else low_seat + greatest(coalesce(seats, 0), 0)
        end as high_seat
    from filled
    where subscription_id = sibling_id

),

by_product as (

    select
        ranges.subscription_id,
        ranges.counted_on,
        ranges.count_reason,
        ranges.license_key,
        ranges.low_seat,
        ranges.high_seat,
        seats_in_use.cost_center_id,
        seats_in_use.is_in_use,
        sum(seats_in_use.user_count) as user_count
    from ranges
    inner join with_state
        on
            ranges.subscription_id = with_state.subscription_id
            and ranges.counted_on = with_state.counted_on
            and ranges.count_reason = with_state.count_reason
    inner join seats_in_use
        on
            with_state.organization_id = seats_in_use.organization_id
            and with_state.state_date = seats_in_use.state_date
            and ranges.license_key = seats_in_use.license_key
    group by
        ranges.subscription_id,
        ranges.counted_on,
        ranges.count_reason,
        ranges.license_key,
        ranges.low_seat,
        ranges.high_seat,
        seats_in_use.cost_center_id,
        seats_in_use.is_in_use

),

-- Who uses a license is placed before who has left.
placed as (

    select
        *,
        sum(user_count) over (
            partition by subscription_id, counted_on, count_reason, license_key
            order by is_in_use desc, cost_center_id
            rows between unbounded preceding and current row
        ) as high_user
    from by_product

),

overlapping as (

    select
        subscription_id,
        counted_on,
        count_reason,
        cost_center_id,
        is_in_use,
        greatest(
            least(high_user, high_seat) - greatest(high_user - user_count, low_seat), 0
        ) as user_count
    from placed

),

by_subscription as (

    select
        with_state.subscription_id,
        with_state.counted_on,
        with_state.count_reason,
        seats_in_use.cost_center_id,
        seats_in_use.is_in_use,
        seats_in_use.user_count
    from with_state
    inner join seats_in_use
        on
            with_state.organization_id = seats_in_use.organization_id
            and with_state.state_date = seats_in_use.state_date
            and with_state.subscription_id = seats_in_use.subscription_id

),

-- Every count has a row, even where nobody has a license.
nobody as (

    select
        with_state.subscription_id,
        with_state.counted_on,
        with_state.count_reason,
        default_cost_centers.cost_center_id,
        true as is_in_use,
        0 as user_count
    from with_state
    inner join default_cost_centers
        on with_state.organization_id = default_cost_centers.organization_id

),

unioned as (

    select * from overlapping
    union all
    select * from by_subscription
    union all
    select * from nobody

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
    from unioned
    group by subscription_id, counted_on, count_reason, cost_center_id

)

select
    with_state.organization_id,
    summed.*,
    cast(own_seats.seats as decimal(28, 10)) as bought_quantity
from summed
inner join with_state
    on
        summed.subscription_id = with_state.subscription_id
        and summed.counted_on = with_state.counted_on
        and summed.count_reason = with_state.count_reason
inner join own_seats
    on
        summed.subscription_id = own_seats.subscription_id
        and summed.counted_on = own_seats.counted_on
        and summed.count_reason = own_seats.count_reason
