{#-
The current licenses of each subscription as a whole: how many are bought, which split divides them,
how many are assigned to users, and the price of a full cycle.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where charge_source = 'license' and subscription_id is not null

),

seat_ledger as (

    select * from {{ ref('int_seat_ledger') }}

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}
    where valid_to = {{ far_future() }}

),

assigned as (

    select * from {{ ref('int_directory_assigned') }}
    where count_reason = 'latest'

),

organizations as (

    select * from {{ ref('int_organizations') }}

),

subscriptions as (

    select
        subscription_id,
        min(organization_id) as organization_id,
        max_by(organization_name, concat_ws('', billing_date, line_id)) as organization_name,
        max_by(product_name, concat_ws('', billing_date, line_id)) as product_name,
        max_by(currency, concat_ws('', billing_date, line_id)) as currency,
        {{ unit_of_sum() }} as quantity_unit
    from billing_lines
    where charge_kind in ('cycle', 'extra', 'refund')
    group by subscription_id

),

cycle_charges as (

    select
        subscription_id,
        currency,
        charge_start_date,
        sum(quantity) as quantity,
        sum(total_cost) as total_cost
    from billing_lines
    where charge_kind = 'cycle' and quantity > 0
    group by subscription_id, currency, charge_start_date

),

-- The price of a license for a cycle, from the latest full cycle charge.
latest_cycle_charges as (

    select
        *,
        row_number() over (
            partition by subscription_id
            order by charge_start_date desc nulls last, currency nulls last
        ) as latest_first
    from cycle_charges

),

last_bill as (

    select max(billing_date) as billing_date
    from billing_lines

),

billed_seats as (

    select
        seat_ledger.subscription_id,
        max_by(seat_ledger.seats, seat_ledger.valid_from_date) as seats
    from seat_ledger
    inner join last_bill on seat_ledger.valid_from_date <= last_bill.billing_date
    group by seat_ledger.subscription_id

),

directory_counts as (

    select
        subscription_id,
        max(counted_on) as counted_on,
        max(bought_quantity) as bought_quantity,
        sum(assigned_quantity) as assigned_quantity
    from assigned
    group by subscription_id

),

final as (

    select
        subscriptions.organization_id,
        subscriptions.organization_name,
        subscriptions.subscription_id,
        subscriptions.product_name,
        snapshots.snapshot_id,
        coalesce(organizations.split_source, 'history') = 'directory' as is_by_directory,
        coalesce(
            case
                when organizations.split_source = 'directory'
                    then directory_counts.bought_quantity
            end,
            snapshots.total_quantity,
            billed_seats.seats,
            0
        ) as bought_quantity,
        directory_counts.assigned_quantity,
        directory_counts.counted_on,
        coalesce(latest_cycle_charges.currency, subscriptions.currency) as currency,
        latest_cycle_charges.total_cost as cycle_cost,
        latest_cycle_charges.quantity as cycle_quantity,
        subscriptions.quantity_unit
    from subscriptions
    left join organizations on subscriptions.organization_id = organizations.organization_id
    left join snapshots on subscriptions.subscription_id = snapshots.subscription_id
    left join billed_seats on subscriptions.subscription_id = billed_seats.subscription_id
    left join directory_counts
        on subscriptions.subscription_id = directory_counts.subscription_id
    left join latest_cycle_charges
        on
            subscriptions.subscription_id = latest_cycle_charges.subscription_id
            and latest_cycle_charges.latest_first = 1

)

select * from final
