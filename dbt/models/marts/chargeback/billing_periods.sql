with

billing_report as (

    select * from {{ ref('billing_report') }}

),

postings as (

    select * from {{ ref('stg_ledger__postings') }}

),

totals as (

    select
        billing_period,
        currency,
        count(distinct line_id) as line_count,
        cast(sum(total_cost) as decimal(28, 10)) as total_cost,
        cast(sum(total_sales) as decimal(28, 10)) as total_sales,
        cast(sum(total_margin) as decimal(28, 10)) as total_margin
    from billing_report
    group by billing_period, currency

),

final as (

    select
        totals.billing_period,
        totals.currency,
        case when postings.billing_period is null then 'open' else 'closed' end as status,
        postings.closed_at,
        postings.closed_by,
        postings.override_reason,
        totals.line_count,
        totals.total_cost,
        totals.total_sales,
        totals.total_margin,
        {{ period_start('totals.billing_period') }} as billing_period_start
    from totals
    left join postings on totals.billing_period = postings.billing_period

)

select * from final
