{#- The cutoff of each line by the seed charge_kinds, before refunded charges are considered. -#}
{%- set anchor_day -%}
case charge_kinds.cutoff_anchor
                when 'charge_start' then cast(billing_lines.charge_start_date as timestamp)
                when 'charge_end' then cast(billing_lines.charge_end_date as timestamp)
            end
{%- endset -%}
with

billing_lines as (

    select * from {{ ref('int_unposted_lines') }}

),

charge_kinds as (

    select * from {{ ref('charge_kinds') }}

),

snapshots as (

    select * from {{ ref('int_split_snapshots') }}

),

closed_periods as (

    select * from {{ ref('stg_ledger__postings') }}

),

-- Events after billing do not count: every cutoff is limited by the instant of closing, else by the
-- billing date. A kind without an anchor has no cutoff and therefore no match.
with_cutoff as (

    select
        billing_lines.line_id,
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.charge_kind,
        charge_kinds.cutoff_anchor is not null as is_splittable,
        coalesce(
            closed_periods.closed_at, cast(billing_lines.billing_date as timestamp)
        ) as billing_cut_at,
        {{ dbt.dateadd('day', 'charge_kinds.cutoff_days_after', anchor_day) }}
            as kind_cutoff_at
    from billing_lines
    inner join charge_kinds on billing_lines.charge_kind = charge_kinds.charge_kind
    left join closed_periods
        on billing_lines.billing_period = closed_periods.billing_period

),

bounded as (

    select
        *,
        case
            when kind_cutoff_at < billing_cut_at then kind_cutoff_at
            when kind_cutoff_at is not null then billing_cut_at
        end as cutoff_at
    from with_cutoff

),

-- The latest snapshot with effective_at < cutoff. The conditions refer to both sides, so that the
-- engine uses a hash join. A condition on the lines alone would compare all rows with each other.
matched as (

    select
        bounded.*,
        as_of.snapshot_id as as_of_snapshot_id,
        as_of.is_zero_total,
        as_of.last_filled_snapshot_id,
        first_ones.snapshot_id as first_snapshot_id,
        first_ones.is_zero_total as is_first_zero_total
    from bounded
    left join snapshots as as_of
        on
            bounded.subscription_id = as_of.subscription_id
            and bounded.cutoff_at > as_of.valid_from
            and bounded.cutoff_at <= as_of.valid_to
    left join snapshots as first_ones
        on
            bounded.subscription_id = first_ones.subscription_id
            and first_ones.is_first
            and first_ones.valid_from < bounded.billing_cut_at

),

reasoned as (

    select
        *,
        case
            when not is_splittable then 'not_a_license'
            when is_zero_total then 'zero_total'
            when as_of_snapshot_id is not null then 'snapshot'
            -- Usage is split only if it has a split or a tag.
            when charge_kind = 'usage' and first_snapshot_id is null then 'not_a_license'
            when charge_kind = 'refund' or first_snapshot_id is null then 'no_snapshot'
            when is_first_zero_total then 'zero_total'
            else 'first_snapshot'
        end as split_reason
    from matched

),

chosen as (

    select
        line_id,
        organization_id,
        cutoff_at,
        billing_cut_at,
        split_reason,
        case
            when split_reason = 'snapshot' then as_of_snapshot_id
            when split_reason = 'first_snapshot' then first_snapshot_id
            -- A total of zero ends the subscription; it never splits anything.
            when split_reason = 'zero_total' then last_filled_snapshot_id
        end as snapshot_id
    from reasoned

)

select
    line_id,
    organization_id,
    cutoff_at,
    billing_cut_at,
    split_reason,
    snapshot_id
from chosen
