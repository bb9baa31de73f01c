{#-
A license that is assigned by product, and not by subscription, can be in any subscription that the
license's name fits. So each count needs the seats of the subscription and those of its siblings.
-#}
with

count_days as (

    select * from {{ ref('int_directory_count_days') }}

),

subscriptions as (

    select * from {{ ref('int_directory_subscriptions') }}

),

seats_in_use as (

    select * from {{ ref('int_directory_seats') }}

),

seat_ledger as (

    select * from {{ ref('int_seat_ledger') }}

),

last_bill as (

    select max(last_billing_date) as billing_date
    from subscriptions

),

-- The names of a license that is assigned by product.
subscription_words as (

    {% for word in [
        'product_key',
        'product_id_key',
        'sku_key',
        "concat_ws('', product_id_key, '/', sku_key)",
        "concat_ws('', product_id_key, ':', sku_key)",
    ] %}
        select
            subscription_id,
            organization_id,
            {{ word }} as word
        from subscriptions
        {% if not loop.last %}union{% endif %}
    {% endfor %}

),

-- Each subscription with all siblings that share a license's name, and once with itself alone.
siblings as (

    select
        count_days.subscription_id,
        count_days.counted_on,
        count_days.count_reason,
        seats_in_use.license_key,
        sibling_words.subscription_id as sibling_id
    from count_days
    inner join subscription_words
        on count_days.subscription_id = subscription_words.subscription_id
    inner join seats_in_use
        on
            count_days.organization_id = seats_in_use.organization_id
            and count_days.state_date = seats_in_use.state_date
            and subscription_words.word = seats_in_use.license_key
    inner join subscription_words as sibling_words
        on
            count_days.organization_id = sibling_words.organization_id
            and seats_in_use.license_key = sibling_words.word
    group by
        count_days.subscription_id,
        count_days.counted_on,
        count_days.count_reason,
        seats_in_use.license_key,
        sibling_words.subscription_id
    union all
    select
        subscription_id,
        counted_on,
        count_reason,
        cast(null as string) as license_key,
        subscription_id as sibling_id
    from count_days

),

-- The directory applies to a subscription from the day before its first charge, with the seats of
-- that charge. The latest state may date from before the first bill or after the last one: a
-- subscription on the last bill is then counted with the seats it had.
seat_days as (

    select
        siblings.*,
        case
            when siblings.count_reason = 'opening'
                then cast({{ dbt.dateadd('day', 1, 'siblings.counted_on') }} as date)
            when siblings.count_reason = 'cycle end' then siblings.counted_on
            when siblings.counted_on < subscriptions.first_charge_date
                then subscriptions.first_charge_date
            when
                siblings.counted_on > subscriptions.last_charge_date
                and subscriptions.last_charge_date
                >= cast(
                    {{ dbt.dateadd('day', -1, dbt.date_trunc('month', 'last_bill.billing_date')) }}
                    as date
                )
                then subscriptions.last_charge_date
            else siblings.counted_on
        end as seats_on
    from siblings
    inner join subscriptions on siblings.sibling_id = subscriptions.subscription_id
    cross join last_bill

),

with_seats as (

    select
        seat_days.subscription_id,
        seat_days.counted_on,
        seat_days.count_reason,
        seat_days.license_key,
        seat_days.sibling_id,
        max_by(seat_ledger.seats, seat_ledger.valid_from_date) as seats
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

)

select * from with_seats
