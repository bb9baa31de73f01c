{#-
The current licenses of a subscription per cost center: allocated by the split, assigned to users, and
pending (bought but not assigned).
-#}
with

subscriptions as (

    select * from {{ ref('int_subscription_licenses') }}

),

shares as (

    select * from {{ ref('int_split_shares') }}

),

assigned as (

    select * from {{ ref('int_directory_assigned') }}
    where count_reason = 'latest'

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

allotted as (

    select
        subscriptions.subscription_id,
        shares.cost_center_id,
        shares.allocated_quantity,
        shares.is_unallocated
    from subscriptions
    inner join shares on subscriptions.snapshot_id = shares.split_id

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

-- Quantities of the directory are null, not 0, where it does not count the subscription.
joined as (

    select
        subscriptions.organization_id,
        subscriptions.organization_name,
        subscriptions.subscription_id,
        subscriptions.product_name,
        subscriptions.is_by_directory,
        subscriptions.bought_quantity,
        subscriptions.assigned_quantity as assigned_total,
        subscriptions.counted_on,
        subscriptions.currency,
        subscriptions.quantity_unit,
        subscriptions.cycle_cost,
        subscriptions.cycle_quantity,
        places.cost_center_id,
        coalesce(cost_centers.cost_center_name, default_cost_centers.cost_center_name)
            as cost_center_name,
        places.cost_center_id = default_cost_centers.cost_center_id as is_default,
        coalesce(allotted.allocated_quantity, 0) as allotted_quantity,
        coalesce(allotted.is_unallocated, false) as is_unallocated,
        case
            when subscriptions.counted_on is not null
                then coalesce(assigned.assigned_quantity, 0)
        end as assigned_quantity,
        case
            when subscriptions.counted_on is not null
                then coalesce(assigned.leaver_quantity, 0)
        end as leaver_quantity
    from subscriptions
    inner join places on subscriptions.subscription_id = places.subscription_id
    inner join default_cost_centers
        on subscriptions.organization_id = default_cost_centers.organization_id
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

),

-- By hand, a cost center uses beyond its own the licenses that others do not use: first
-- those that are allocated to nobody, then those of the cost center with the most unused ones.
compared as (

    select
        *,
        greatest(allotted_quantity - assigned_quantity, 0) as unused_quantity,
        case
            when is_by_directory or assigned_quantity is null then 0
            else greatest(assigned_quantity - allotted_quantity, 0)
        end as exceeding_quantity
    from joined

),

taken_in_turn as (

    select
        *,
        sum(exceeding_quantity) over (partition by subscription_id) as taken_quantity,
        coalesce(
            sum(unused_quantity) over (
                partition by subscription_id
                order by
                    is_default desc nulls last,
                    unused_quantity desc nulls last,
                    cost_center_id nulls last
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as unused_before
    from compared

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
                then
                    unused_quantity
                    - least(unused_quantity, greatest(taken_quantity - unused_before, 0))
            when is_unallocated then allotted_quantity
            else 0
        end as pending_quantity
    from taken_in_turn

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
    {{ cost_of_licenses('pending_quantity') }} as pending_cost,
    cast(exceeding_quantity as decimal(28, 10)) as exceeding_quantity,
    {{ cost_of_licenses('exceeding_quantity') }} as exceeding_cost,
    currency,
    counted_on as directory_date,
    quantity_unit
from with_pending
