{#- Per subscription: seats on the bills and in the split history on the last day charged. -#}
with

seat_ledger as (

    select * from {{ ref('int_seat_ledger') }}

),

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where
        charge_kind in ('cycle', 'extra')
        and subscription_id is not null
        and coalesce(has_seats, true)

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}
    -- The total of a directory count comes from the bills.
    where event <> 'Licenses counted in the directory'

),

last_charges as (

    select
        subscription_id,
        billing_period,
        max(charge_start_date) as compared_on
    from billing_lines
    group by subscription_id, billing_period

),

by_bills as (

    select
        last_charges.subscription_id,
        last_charges.billing_period,
        last_charges.compared_on,
        max_by(seat_ledger.seats, seat_ledger.valid_from_date) as billed_seats
    from last_charges
    inner join seat_ledger
        on
            last_charges.subscription_id = seat_ledger.subscription_id
            and seat_ledger.valid_from_date <= last_charges.compared_on
    group by
        last_charges.subscription_id, last_charges.billing_period, last_charges.compared_on

),

compared as (

    select
        by_bills.*,
        snapshots.organization_id,
        snapshots.total_quantity as split_seats,
        snapshots.effective_at
    from by_bills
    inner join snapshots
        on
            by_bills.subscription_id = snapshots.subscription_id
            and {{ dbt.dateadd('day', 1, 'cast(by_bills.compared_on as timestamp)') }}
            > snapshots.valid_from
            and {{ dbt.dateadd('day', 1, 'cast(by_bills.compared_on as timestamp)') }}
            <= snapshots.valid_to

)

select * from compared
