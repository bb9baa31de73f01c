{#-
Cumulative allocations are computed here, once per split and cost center, so that the many billing
lines need no window.
-#}
with

splits as (

    select * from {{ ref('int_splits') }}

),

-- Whole licenses are counted as such, parts of licenses in ten thousandths.
with_unit as (

    select
        *,
        case
            when
                bool_and(allocated_quantity = cast(allocated_quantity as bigint))
                    over (partition by split_id)
                then 1
            else 10000
        end as units_per_license
    from splits

),

in_units as (

    select
        split_id,
        cost_center_id,
        cost_center_name,
        allocated_quantity,
        is_unallocated,
        cast(allocated_quantity * units_per_license as bigint) as allocated_units
    from with_unit

),

cumulative as (

    select
        *,
        cast(
            sum(allocated_units) over (
                partition by split_id
                order by cost_center_id nulls last
                rows between unbounded preceding and current row
            ) as bigint
        ) as high_units,
        cast(sum(allocated_units) over (partition by split_id) as bigint) as total_units
    from in_units

),

shared_out as (

    select
        split_id,
        cost_center_id,
        cost_center_name,
        allocated_quantity,
        cast(
            sum(allocated_quantity) over (partition by split_id) as decimal(28, 10)
        ) as allocated_total,
        is_unallocated,
        high_units - allocated_units as low_units,
        high_units,
        total_units,
        {{ narrow_limit('total_units') }} as narrow_limit,
        case
            when total_units = 0 then 0
            else
                {{ cumulative_share('high_units', 'total_units') }}
                - {{ cumulative_share('high_units - allocated_units', 'total_units') }}
        end as exact_share
    from cumulative

)

select
    * {{ without('exact_share') }},
    cast(exact_share as decimal(18, 10)) as share
from shared_out
