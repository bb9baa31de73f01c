{#-
Bases of the methods per cost center: its own cost and sales that no rule covers, its seats in all
splits and its users, the latter two as of the day before the last bill of the period. Sales have a
basis of their own, because customers could compute costs from shares of cost.
-#}
with

ruled_costs as (

    select * from {{ ref('int_shared_cost_ruled_costs') }}

),

rules as (

    select * from {{ ref('int_shared_cost_rules') }}
    where step is not null

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}
    where not is_zero_total

),

split_shares as (

    select * from {{ ref('int_split_shares') }}

),

headcounts as (

    select * from {{ ref('int_directory_headcounts') }}

),

bills as (

    select
        billing_period,
        organization_id,
        cast(max(last_billing_date) as timestamp) as last_billed_at
    from rules
    where method in ('seats', 'headcount')
    group by billing_period, organization_id

),

direct_costs as (

    select
        billing_period,
        organization_id,
        currency,
        'direct_cost' as method,
        cost_center_id,
        cast(greatest(sum(total_cost), 0) as decimal(28, 10)) as basis,
        cast(greatest(coalesce(sum(total_sales), 0), 0) as decimal(28, 10)) as sales_basis
    from ruled_costs
    where rule_id is null
    group by billing_period, organization_id, currency, cost_center_id

),

seats as (

    select
        bills.billing_period,
        bills.organization_id,
        cast(null as string) as currency,
        'seats' as method,
        split_shares.cost_center_id,
        cast(sum(split_shares.allocated_quantity) as decimal(28, 10)) as basis,
        cast(sum(split_shares.allocated_quantity) as decimal(28, 10)) as sales_basis
    from bills
    inner join snapshots
        on
            bills.organization_id = snapshots.organization_id
            and snapshots.valid_from < bills.last_billed_at
            and snapshots.valid_to >= bills.last_billed_at
    inner join split_shares on snapshots.snapshot_id = split_shares.split_id
    group by bills.billing_period, bills.organization_id, split_shares.cost_center_id

),

directory_days as (

    select
        bills.billing_period,
        bills.organization_id,
        max(headcounts.snapshot_date) as snapshot_date
    from bills
    inner join headcounts
        on
            bills.organization_id = headcounts.organization_id
            and cast(headcounts.snapshot_date as timestamp) < bills.last_billed_at
    group by bills.billing_period, bills.organization_id

),

people as (

    select
        directory_days.billing_period,
        directory_days.organization_id,
        cast(null as string) as currency,
        'headcount' as method,
        headcounts.cost_center_id,
        cast(headcounts.user_count as decimal(28, 10)) as basis,
        cast(headcounts.user_count as decimal(28, 10)) as sales_basis
    from directory_days
    inner join headcounts
        on
            directory_days.organization_id = headcounts.organization_id
            and directory_days.snapshot_date = headcounts.snapshot_date

),

unioned as (

    select * from direct_costs
    union all
    select * from seats
    union all
    select * from people

)

select * from unioned
