{#-
Seats by the bills alone: a charge adds its seats from its first to its last day, a refund removes
those of the refunded charge from its own first day on. A refund without a known charge removes
nothing, because its seats were never added.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where
        charge_kind in ('cycle', 'extra', 'refund')
        and subscription_id is not null
        -- A one-time fee is charged per unit too, but adds no seats.
        and coalesce(has_seats, true)

),

refund_links as (

    select * from {{ ref('int_refund_links') }}

),

signed as (

    select
        billing_lines.subscription_id,
        billing_lines.charge_start_date,
        billing_lines.charge_end_date,
        case when billing_lines.charge_kind = 'refund' then -1 else 1 end
        * billing_lines.quantity as quantity
    from billing_lines
    left join refund_links on billing_lines.line_id = refund_links.line_id
    where billing_lines.charge_kind <> 'refund' or refund_links.line_id is not null

),

changes as (

    select
        subscription_id,
        charge_start_date as changed_on,
        quantity
    from signed
    union all
    select
        subscription_id,
        cast({{ dbt.dateadd('day', 1, 'charge_end_date') }} as date) as changed_on,
        -quantity as quantity
    from signed

),

daily as (

    select
        subscription_id,
        changed_on,
        sum(quantity) as quantity
    from changes
    group by subscription_id, changed_on

),

running as (

    select
        subscription_id,
        changed_on as valid_from_date,
        cast(
            sum(quantity) over (
                partition by subscription_id
                order by changed_on nulls last
                rows between unbounded preceding and current row
            ) as decimal(28, 10)
        ) as seats
    from daily

)

select * from running
