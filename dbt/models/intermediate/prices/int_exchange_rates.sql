{#-
Value of one unit of a currency in another, with the range of validity. If only the opposite pair is
listed, its inverse is used: multiply by the multiplier, divide by the divisor.
-#}
with

rates as (

    select * from {{ ref('stg_exchange_rates__rates') }}
    where rejected_reason is null

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where status = 'loaded'

),

-- For a rate that is listed twice for a day, the file with the latest modification time counts.
ranked as (

    select
        rates.*,
        {{ newest_first(
            ['rates.from_currency', 'rates.to_currency', 'rates.rate_date'], rows='rates'
        ) }}
    from rates
    inner join files on rates.content_hash = files.content_hash

),

direct as (

    select
        from_currency,
        to_currency,
        rate_date,
        rate as multiplier,
        cast(1 as decimal(28, 10)) as divisor
    from ranked
    where newest_first = 1 and from_currency <> to_currency

),

turned_round as (

    select
        direct.to_currency as from_currency,
        direct.from_currency as to_currency,
        direct.rate_date,
        cast(1 as decimal(28, 10)) as multiplier,
        direct.multiplier as divisor
    from direct
    left join direct as other_way
        on
            direct.from_currency = other_way.to_currency
            and direct.to_currency = other_way.from_currency
    where other_way.from_currency is null

),

both_ways as (

    select * from direct
    union all
    select * from turned_round

)

select
    *,
    rate_date as valid_from_date,
    coalesce(
        lead(rate_date) over (
            partition by from_currency, to_currency
            order by rate_date nulls last
        ),
        date '9999-12-31'
    ) as valid_to_date
from both_ways
