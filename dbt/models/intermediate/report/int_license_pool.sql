{#-
The current licenses of a subscription: bought, allocated to cost centers, assigned to users, and
pending (bought but not assigned).
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

shares as (

    select * from {{ ref('int_split_shares') }}

),

assigned as (

    select * from {{ ref('int_directory_assigned') }}
    where count_reason = 'latest'

),

organizations as (

    select * from {{ ref('int_organizations') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

subscriptions as (

    select
        subscription_id,
        min(organization_id) as organization_id,
        max_by(organization_name, concat(billing_date, line_id)) as organization_name,
        max_by(product_name, concat(billing_date, line_id)) as product_name,
        max_by(currency, concat(billing_date, line_id)) as currency
    from billing_lines
    where charge_kind in ('cycle', 'extra', 'refund')
    group by subscription_id

),

-- The price of a license for a cycle, from the latest full cycle charge.
cycle_charges as (

    select
        subscription_id,
        currency,
        charge_start_date,
        sum(quantity) as quantity,
        sum(total_cost) as total_cost,
        row_number() over (
            partition by subscription_id
            order by charge_start_date desc, currency
        ) as latest_first
    from billing_lines
    where charge_kind = 'cycle' and quantity > 0
    group by subscription_id, currency, charge_start_date

),

latest_seats as (

    select
        subscription_id,
        arg_max(seats, valid_from_date) as seats
    from seat_ledger
    where valid_from_date <= (select max(billing_date) from billing_lines)
    group by subscription_id

),

assigned_totals as (

    select
        subscription_id,
        max(counted_on) as counted_on,
        max(bought_quantity) as bought_quantity,
        sum(assigned_quantity) as assigned_total
    from assigned
    group by subscription_id

),

allotted as (

    select
        snapshots.subscription_id,
        shares.cost_center_id,
        shares.allocated_quantity,
        shares.is_unallocated
    from snapshots
    inner join shares on snapshots.snapshot_id = shares.split_id

),

places as (

    select
        subscription_id,
        cost_center_id
    from allotted
    union
    select
        subscription_id,
        cost_center_id
    from assigned
    where assigned_quantity > 0 or leaver_quantity > 0
    union
    select
        subscriptions.subscription_id,
        default_cost_centers.cost_center_id
    from subscriptions
    inner join default_cost_centers
        on subscriptions.organization_id = default_cost_centers.organization_id

),

joined as (

    select
        subscriptions.organization_id,
        subscriptions.organization_name,
        subscriptions.subscription_id,
        subscriptions.product_name,
        places.cost_center_id,
        coalesce(cost_centers.cost_center_name, default_cost_centers.cost_center_name)
            as cost_center_name,
        places.cost_center_id = default_cost_centers.cost_center_id as is_default,
        coalesce(organizations.split_source, 'history') = 'directory' as is_by_directory,
        coalesce(
            case
                when organizations.split_source = 'directory' then assigned_totals.bought_quantity
            end,
            snapshots.total_quantity,
            latest_seats.seats,
            0
        ) as bought_quantity,
        coalesce(allotted.allocated_quantity, 0) as allotted_quantity,
        coalesce(allotted.is_unallocated, false) as is_unallocated,
        case
            when assigned_totals.subscription_id is not null
                then coalesce(assigned.assigned_quantity, 0)
        end as assigned_quantity,
        case
            when assigned_totals.subscription_id is not null
                then coalesce(assigned.leaver_quantity, 0)
        end as leaver_quantity,
        assigned_totals.assigned_total,
        assigned_totals.counted_on,
        coalesce(cycle_charges.currency, subscriptions.currency) as currency,
        cycle_charges.total_cost as cycle_cost,
        cycle_charges.quantity as cycle_quantity
    from subscriptions
    inner join places on subscriptions.subscription_id = places.subscription_id
    inner join default_cost_centers
        on subscriptions.organization_id = default_cost_centers.organization_id
    left join organizations on subscriptions.organization_id = organizations.organization_id
    left join snapshots on subscriptions.subscription_id = snapshots.subscription_id
    left join latest_seats on subscriptions.subscription_id = latest_seats.subscription_id
    left join assigned_totals on subscriptions.subscription_id = assigned_totals.subscription_id
    left join allotted
        on
            places.subscription_id = allotted.subscription_id
            and places.cost_center_id = allotted.cost_center_id
    left join assigned
        on
            places.subscription_id = assigned.subscription_id
            and places.cost_center_id = assigned.cost_center_id
    left join cost_centers
        on
            subscriptions.organization_id = cost_centers.organization_id
            and places.cost_center_id = cost_centers.cost_center_id
    left join cycle_charges
        on
            subscriptions.subscription_id = cycle_charges.subscription_id
            and cycle_charges.latest_first = 1

),

-- With a split by directory, unused licenses are unallocated. With a split by hand, they belong to
-- the cost center to which they are allocated. Without a directory, only unallocated licenses are
-- known to be pending.
with_pending as (

    select
        *,
        case
            when is_by_directory and is_default
                then greatest(bought_quantity - coalesce(assigned_total, 0), 0)
            when is_by_directory then 0
            when assigned_quantity is not null
                then greatest(allotted_quantity - assigned_quantity, 0)
            when is_unallocated then allotted_quantity
            else 0
        end as pending_quantity
    from joined

)

select
    organization_id,
    organization_name,
    subscription_id,
    product_name,
    cost_center_id,
    cost_center_name,
    is_default,
    cast(bought_quantity as decimal(28, 10)) as bought_quantity,
    cast(allotted_quantity as decimal(28, 10)) as allotted_quantity,
    cast(assigned_quantity as decimal(28, 10)) as assigned_quantity,
    cast(leaver_quantity as decimal(28, 10)) as leaver_quantity,
    cast(pending_quantity as decimal(28, 10)) as pending_quantity,
    cast(
        case
            when pending_quantity = 0 then 0
            else
                {{ part_of_cost('cycle_cost', 'pending_quantity', 'cycle_quantity') }}
        end as decimal(28, 10)
    ) as pending_cost,
    currency,
    counted_on as directory_date
from with_pending
