{#-
Charged days, days of the cycle, and price of a license for the whole cycle, per prorated line. The
cycle is that of the same subscription's charge that ends on the line's last day, else the shortest
one that contains the line (legacy bills charge parts that end within a cycle), else the month that
ends with the line's last day.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where charge_source = 'license'

),

prorated_lines as (

    select * from billing_lines
    where charge_kind in ('extra', 'refund')

),

-- After a change, a legacy bill credits the whole cycle. The credit shows the cycle as a charge
-- does.
known_cycles as (

    select
        subscription_id,
        charge_start_date as cycle_start_date,
        charge_end_date as cycle_end_date,
        max(unit_price) as cycle_unit_price
    from billing_lines
    where
        subscription_id is not null
        and (
            charge_kind = 'cycle'
            or (charge_kind = 'refund' and source_format = 'legacy_license_based')
        )
    group by subscription_id, charge_start_date, charge_end_date

),

with_cycles as (

    select
        prorated_lines.line_id,
        prorated_lines.charge_start_date,
        prorated_lines.charge_end_date,
        known_cycles.cycle_start_date,
        known_cycles.cycle_end_date,
        known_cycles.cycle_unit_price,
        row_number() over (
            partition by prorated_lines.line_id
            order by
                coalesce(
                    known_cycles.cycle_end_date = prorated_lines.charge_end_date, false
                ) desc nulls last,
                -- The longest of those that end on the same day, because a legacy bill also credits
                -- parts.
                case
                    when known_cycles.cycle_end_date = prorated_lines.charge_end_date
                        then known_cycles.cycle_start_date
                end nulls last,
                known_cycles.cycle_end_date - known_cycles.cycle_start_date nulls last,
                known_cycles.cycle_start_date nulls last
        ) as best_first
    from prorated_lines
    left join known_cycles
        on
            prorated_lines.subscription_id = known_cycles.subscription_id
            and prorated_lines.charge_start_date >= known_cycles.cycle_start_date
            and prorated_lines.charge_end_date <= known_cycles.cycle_end_date

),

counted as (

    select
        line_id,
        {{ dbt.datediff('charge_start_date', 'charge_end_date', 'day') }} + 1 as charge_days,
        {{ dbt.datediff(
            "coalesce(cycle_start_date, cast("
            ~ dbt.dateadd('month', -1, dbt.dateadd('day', 1, 'charge_end_date'))
            ~ " as date))",
            'coalesce(cycle_end_date, charge_end_date)',
            'day'
        ) }} + 1 as cycle_days,
        cycle_unit_price
    from with_cycles
    where best_first = 1

)

select * from counted
