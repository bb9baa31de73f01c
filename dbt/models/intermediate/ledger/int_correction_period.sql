{#- One row: the last closed period, and the period in which corrections are posted. -#}
with

postings as (

    select * from {{ ref('stg_ledger__postings') }}

),

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

closed as (

    select max(billing_period) as closed_through
    from postings

),

-- The oldest open period; without a bill for it, the month after the last closed period.
oldest_open as (

    select min(billing_lines.billing_period) as billing_period
    from billing_lines
    cross join closed
    where billing_lines.billing_period > closed.closed_through

)

select
    closed.closed_through,
    coalesce(
        oldest_open.billing_period,
        {{ year_month(
            dbt.dateadd('month', 1, "cast(closed.closed_through || '-01' as date)")
        ) }}
    ) as correction_period
from closed
cross join oldest_open
