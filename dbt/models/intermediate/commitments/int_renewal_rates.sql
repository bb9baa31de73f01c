{#-
The organization's own renewal rate, for each forecast origin and length of a renewal. A charge is
due for renewal if the term ends with it, or if no term is known. It is lost if neither the
subscription nor its product is charged again. Charges count by their seats. Two years of
renewals are presumed, so that no rate follows from one event; without a loss the rate is exactly 1.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}
    where {{ belongs_to_cycles() }}

),

terms as (

    select * from {{ ref('stg_new_commerce__terms') }}

),

focus_terms as (

    select * from {{ ref('focus_terms') }}

),

forecast_origins as (

    select * from {{ ref('int_forecast_origins') }}

),

-- Seats until the end of a cycle. A cycle that was refunded in full counts as not charged.
cycles as (

    select
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.charge_end_date,
        min(
            case when billing_lines.charge_kind = 'cycle' then billing_lines.charge_start_date end
        ) as charge_start_date,
        max(billing_lines.product_name) as product_name,
        min(billing_lines.billing_period) as billing_period,
        sum(
            abs(billing_lines.quantity)
            * case when billing_lines.charge_kind = 'refund' then -1 else 1 end
        ) as quantity,
        max(terms.term_end_date) as term_end_date,
        max(focus_terms.term_months) as term_months
    from billing_lines
    left join terms
        on
            billing_lines.file = terms.file
            and billing_lines.row_number = terms.row_number
    left join focus_terms
        on
            {{ match_key('terms.term_and_billing_cycle') }}
            = {{ match_key('focus_terms.term_and_billing_cycle') }}
    group by
        billing_lines.organization_id,
        billing_lines.subscription_id,
        billing_lines.charge_end_date

),

charged as (

    select * from cycles
    where charge_start_date is not null and quantity > 0

),

with_next as (

    select
        *,
        lead(billing_period) over (
            partition by subscription_id
            order by charge_end_date nulls last, charge_start_date nulls last
        ) as next_billing_period,
        cast({{ dbt.dateadd('day', 1, 'charge_end_date') }} as date) as next_start_date
    from charged

),

due as (

    select
        *,
        cast(
            coalesce(
                case when term_end_date is not null then term_months end,
                {{ renewal_months('charge_start_date', 'charge_end_date') }}
            ) as integer
        ) as renewal_months,
        cast(
            {{ dbt.dateadd(
                'month',
                dbt.datediff(
                    'charge_start_date', period_start('billing_period'), 'month'
                ),
                dbt.date_trunc('month', 'next_start_date')
            ) }} as date
        ) as due_month
    from with_next
    where term_end_date is null or charge_end_date >= term_end_date

),

-- The last day that a product of the organization is charged for, as known at the origin.
products as (

    select
        forecast_origins.origin_month,
        charged.organization_id,
        charged.product_name,
        max(charged.charge_end_date) as last_charged_date
    from charged
    inner join forecast_origins
        on
            charged.organization_id = forecast_origins.organization_id
            and charged.billing_period <= forecast_origins.origin_period
    group by forecast_origins.origin_month, charged.organization_id, charged.product_name

),

counted as (

    select
        due.organization_id,
        forecast_origins.origin_month,
        due.renewal_months,
        count(*) as due_count,
        sum(due.quantity) as due_seats,
        sum(
            case
                when
                    coalesce(due.next_billing_period > forecast_origins.origin_period, true)
                    and products.last_charged_date <= due.charge_end_date
                    then due.quantity
                else 0
            end
        ) as lost_seats
    from due
    inner join forecast_origins
        on
            due.organization_id = forecast_origins.organization_id
            and due.billing_period <= forecast_origins.origin_period
            and due.due_month <= forecast_origins.origin_month
    inner join products
        on
            due.organization_id = products.organization_id
            and forecast_origins.origin_month = products.origin_month
            and due.product_name is not distinct from products.product_name
    group by due.organization_id, forecast_origins.origin_month, due.renewal_months

),

final as (

    select
        organization_id,
        origin_month,
        renewal_months,
        due_count,
        cast(due_seats as decimal(28, 10)) as due_seats,
        cast(lost_seats as decimal(28, 10)) as lost_seats,
        cast(
            1
            - cast(lost_seats as double) / cast(due_seats as double)
            * due_count / (due_count + {{ presumed_renewals('renewal_months') }})
            as decimal(18, 10)
        ) as renewal_rate
    from counted

)

select * from final
