{#-
The likelihood of every future charge by the organization's renewal rate: 1 within the term, the
rate after the first renewal, its square after the second. The uncertain likelihood presumes half a
loss in five more years, because a rate of 1 from few renewals is not certain; only the band uses
it.
-#}
with

expected_charges as (

    select * from {{ ref('int_expected_charges') }}

),

focus_terms as (

    select * from {{ ref('focus_terms') }}

),

renewal_rates as (

    select * from {{ ref('int_renewal_rates') }}

),

with_first as (

    select
        expected_charges.expected_charge_id,
        expected_charges.organization_id,
        expected_charges.origin_month,
        expected_charges.commitment,
        expected_charges.charge_start_date,
        case
            when expected_charges.term_end_date is not null
                then {{ dbt.dateadd('day', 1, 'expected_charges.term_end_date') }}
            else
                min(expected_charges.charge_start_date) over (
                    partition by
                        expected_charges.subscription_id, expected_charges.origin_month
                )
        end as first_renewal_date,
        cast(
            coalesce(
                case
                    when expected_charges.term_end_date is not null then focus_terms.term_months
                end,
                expected_charges.months_per_cycle
            ) as integer
        ) as renewal_months
    from expected_charges
    left join focus_terms
        on
            {{ match_key('expected_charges.term_and_billing_cycle') }}
            = {{ match_key('focus_terms.term_and_billing_cycle') }}

),

counted as (

    select
        *,
        case
            when commitment = 'committed' then 0
            else
                1 + {{ whole_quotient(
                    dbt.datediff('first_renewal_date', 'charge_start_date', 'month'),
                    'renewal_months'
                ) }}
        end as renewal_count
    from with_first

),

final as (

    select
        counted.expected_charge_id,
        counted.renewal_months,
        counted.renewal_count,
        coalesce(renewal_rates.due_count, 0) as due_count,
        {{ likelihood_after(
            'coalesce(renewal_rates.renewal_rate, 1)', 'counted.renewal_count'
        ) }} as likelihood,
        {{ likelihood_after(
            '1 - (0.5 + coalesce(renewal_rates.due_count * cast(renewal_rates.lost_seats as double)'
            ~ ' / cast(renewal_rates.due_seats as double), 0))'
            ~ ' / (coalesce(renewal_rates.due_count, 0) + 2.5 * '
            ~ presumed_renewals('counted.renewal_months') ~ ')',
            'counted.renewal_count'
        ) }} as uncertain_likelihood
    from counted
    left join renewal_rates
        on
            counted.organization_id = renewal_rates.organization_id
            and counted.origin_month = renewal_rates.origin_month
            and counted.renewal_months = renewal_rates.renewal_months

)

select * from final
