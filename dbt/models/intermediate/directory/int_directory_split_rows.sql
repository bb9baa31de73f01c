{#-
Splits from the directory, for the organizations with this split source: the assigned licenses per
cost center at the last moment of each billing cycle. The cost of a user who moves is charged to the
new cost center from the next cycle on. Unassigned licenses are in Default, unallocated.
-#}
with

assigned as (

    select * from {{ ref('int_directory_assigned') }}
    where count_reason <> 'latest'

),

organizations as (

    select * from {{ ref('int_organizations') }}
    where split_source = 'directory'

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

-- If the first count falls on the end of a cycle, it is the count of that cycle.
counts as (

    select
        assigned.organization_id,
        assigned.subscription_id,
        assigned.counted_on,
        assigned.cost_center_id,
        max(assigned.assigned_quantity) as allocated_quantity,
        max(assigned.bought_quantity) as bought_quantity
    from assigned
    inner join organizations on assigned.organization_id = organizations.organization_id
    group by
        assigned.organization_id,
        assigned.subscription_id,
        assigned.counted_on,
        assigned.cost_center_id

)

select
    {{ surrogate_id(["'directory'", 'counts.subscription_id', 'counts.counted_on']) }} as event_id,
    counts.subscription_id,
    counts.organization_id,
    default_cost_centers.cost_center_id as default_cost_center_id,
    'Licenses counted in the directory' as event,
    'licensescountedinthedirectory' as event_key,
    {{ dbt.dateadd('second', -1, dbt.dateadd('day', 1, 'cast(counts.counted_on as timestamp)')) }}
        as effective_at,
    false as is_date_only,
    {{ dbt.dateadd('second', -1, dbt.dateadd('day', 1, 'cast(counts.counted_on as timestamp)')) }}
        as recorded_at,
    cast(null as decimal(28, 10)) as event_sequence,
    cast(nullif(counts.bought_quantity, 0) as decimal(28, 10)) as total_quantity,
    counts.cost_center_id,
    cast(null as string) as cost_center_name,
    cast(counts.allocated_quantity as decimal(28, 10)) as allocated_quantity,
    cast(0 as bigint) as row_number
from counts
inner join default_cost_centers
    on counts.organization_id = default_cost_centers.organization_id
