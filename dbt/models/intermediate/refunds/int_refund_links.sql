{#-
Several charges may have the same terms. They are refunded last in, first out: each refund takes the
latest charge before it that is not yet refunded, so that no charge is refunded twice while another with
the same terms is not. Once all are refunded, the latest is taken again, which is a finding.
-#}
with

candidates as (

    select * from {{ ref('int_refund_candidates') }}

),

preferred as (

    select * from candidates
    where preference = 1

),

refunds as (

    select
        line_id,
        terms_key,
        max(refund_start_date) as start_date,
        max(refund_billing_date) as billing_date,
        true as is_refund
    from preferred
    group by line_id, terms_key

),

-- All charges with these terms, also those that a refund would not prefer.
charges as (

    select
        candidates.charge_line_id as line_id,
        candidates.terms_key,
        max(candidates.charge_start_date) as start_date,
        max(candidates.billing_date) as billing_date,
        false as is_refund
    from candidates
    inner join refunds on candidates.terms_key = refunds.terms_key
    group by candidates.charge_line_id, candidates.terms_key

),

charges_and_refunds as (

    select * from charges
    union all
    select * from refunds

),

in_order as (

    select
        *,
        row_number() over (
            partition by terms_key
            order by
                billing_date nulls last,
                is_refund nulls last,
                start_date nulls last,
                case when is_refund then line_id end nulls last,
                line_id desc nulls last
        ) as position
    from charges_and_refunds

),

with_open_charges as (

    select
        *,
        sum(case when is_refund then -1 else 1 end) over (
            partition by terms_key
            order by position nulls last
            rows between unbounded preceding and current row
        ) as open_charge_count
    from in_order

),

-- The latest open charge is the last one that raised the count to what it was before the refund.
ranked as (

    select
        preferred.line_id,
        preferred.charge_line_id,
        preferred.is_full_reversal,
        row_number() over (
            partition by preferred.line_id
            order by
                coalesce(
                    charge.open_charge_count = refund.open_charge_count + 1, false
                ) desc nulls last,
                charge.position desc nulls last
        ) as latest_open_first
    from preferred
    inner join with_open_charges as refund
        on
            preferred.line_id = refund.line_id
            and preferred.terms_key = refund.terms_key
            and refund.is_refund
    inner join with_open_charges as charge
        on
            preferred.charge_line_id = charge.line_id
            and preferred.terms_key = charge.terms_key
            and not charge.is_refund
            and charge.position < refund.position

)

select
    line_id,
    charge_line_id as refund_of_line_id,
    is_full_reversal
from ranked
where latest_open_first = 1
