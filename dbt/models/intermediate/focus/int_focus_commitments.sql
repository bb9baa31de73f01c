with

line_commitments as (

    select * from {{ ref('int_focus_line_commitments') }}

),

seat_ledger as (

    select * from {{ ref('int_seat_ledger') }}

),

-- The state is as of the latest bill, not as of today, so that the same files give the same results
-- on any day.
latest_bill as (

    select max(billing_date) as as_of_date
    from line_commitments

),

-- A term may be printed in two ways; the latest bill counts.
commitments as (

    select
        commitment_id,
        subscription_id,
        term_start_date,
        max(term_end_date) as term_end_date,
        max_by(organization_id, concat_ws('', billing_date, line_id)) as organization_id,
        max_by(organization_name, concat_ws('', billing_date, line_id)) as organization_name,
        max_by(product_name, concat_ws('', billing_date, line_id)) as product_name,
        max_by(currency, concat_ws('', billing_date, line_id)) as currency,
        max_by(source_format, concat_ws('', billing_date, line_id)) as source_format,
        max_by(term_and_billing_cycle, concat_ws('', billing_date, line_id))
            as term_and_billing_cycle,
        max(billing_date) as latest_billing_date,
        max(quantity) as largest_quantity,
        coalesce(
            max(case when charge_kind <> 'refund' then charge_start_date end), term_start_date
        ) as charged_date,
        max(
            case
                when charge_kind = 'refund' and {{ match_key('charge_type') }} = 'cancelimmediate'
                    then charge_start_date
            end
        ) as canceled_date,
        max(
            case
                when charge_kind = 'refund' and {{ match_key('charge_type') }} = 'convert'
                    then charge_start_date
            end
        ) as converted_date
    from line_commitments
    group by commitment_id, subscription_id, term_start_date

),

contracts as (

    select
        subscription_id,
        min(term_start_date) as contract_start_date,
        max(term_end_date) as contract_end_date
    from commitments
    group by subscription_id

),

-- The last seats on the bills of the term, and the last nonzero seats.
seats as (

    select
        commitments.commitment_id,
        max_by(seat_ledger.seats, seat_ledger.valid_from_date) as seats,
        max_by(
            case when seat_ledger.seats > 0 then seat_ledger.seats end,
            case when seat_ledger.seats > 0 then seat_ledger.valid_from_date end
        ) as last_seats
    from commitments
    cross join latest_bill
    inner join seat_ledger
        on
            commitments.subscription_id = seat_ledger.subscription_id
            and commitments.term_start_date <= seat_ledger.valid_from_date
            and commitments.term_end_date >= seat_ledger.valid_from_date
            and latest_bill.as_of_date >= seat_ledger.valid_from_date
    group by commitments.commitment_id

),

with_status as (

    select
        commitments.commitment_id,
        commitments.subscription_id,
        commitments.term_start_date,
        commitments.term_end_date,
        commitments.organization_id,
        commitments.organization_name,
        commitments.product_name,
        commitments.currency,
        commitments.source_format,
        commitments.term_and_billing_cycle,
        commitments.latest_billing_date,
        contracts.contract_start_date,
        contracts.contract_end_date,
        coalesce(seats.last_seats, commitments.largest_quantity) as quantity,
        -- All seats were refunded, and none was charged since.
        case
            when coalesce(seats.seats, 0) > 0 then null
            when commitments.canceled_date >= commitments.charged_date then 'Canceled'
            when commitments.converted_date >= commitments.charged_date then 'Superseded'
        end as early_end,
        case
            when commitments.term_start_date > latest_bill.as_of_date then 'Pending'
            when commitments.term_end_date < latest_bill.as_of_date then 'Expired'
            else 'Active'
        end as scheduled_status
    from commitments
    cross join latest_bill
    inner join contracts on commitments.subscription_id = contracts.subscription_id
    left join seats on commitments.commitment_id = seats.commitment_id

),

final as (

    select
        * {{ without('early_end', 'scheduled_status') }},
        coalesce(early_end, scheduled_status) as lifecycle_status
    from with_status

)

select * from final
