{#-
The status of every usable row: billed or replaced. A table, so that the decision is computed once.
-#}
with

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}
    where rejected_reason is null

),

deliveries as (

    select * from {{ ref('int_deliveries') }}

),

declared_settings as (

    select * from {{ ref('stg_landing__declared_settings') }}

),

with_delivery as (

    select
        delivered_lines.*,
        coalesce(deliveries.is_current, true) as is_current,
        deliveries.reason
    from delivered_lines
    left join deliveries
        on
            delivered_lines.delivery = deliveries.delivery
            and delivered_lines.scope_key = deliveries.scope_key
            and delivered_lines.invoice_number is not distinct from deliveries.invoice_number

),

-- An invoice contains one line with the total of its daily usage. If both have landed, the days
-- count and the total is replaced.
usage_in_detail as (

    select
        provider,
        invoice_number,
        subscription_id,
        product_id,
        currency
    from with_delivery
    where charge_source = 'usage' and is_current
    group by provider, invoice_number, subscription_id, product_id, currency

),

with_usage as (

    select
        with_delivery.*,
        with_delivery.is_current
        and usage_in_detail.invoice_number is not null
        and with_delivery.charge_source <> 'usage'
        -- A credit for usage is not its total.
        and with_delivery.total_cost >= 0
        and coalesce({{ match_key('with_delivery.charge_type') }}, '') <> 'customercredit'
            as is_sum_of_usage,
        case
            when
                with_delivery.invoice_number is null
                and with_delivery.source_format <> 'focus_cost_and_usage'
                and coalesce(declared_settings.equal_lines, 'once') <> 'each'
                then with_delivery.delivery
        end as report
    from with_delivery
    cross join declared_settings
    left join usage_in_detail
        on
            with_delivery.provider = usage_in_detail.provider
            and with_delivery.invoice_number = usage_in_detail.invoice_number
            and with_delivery.subscription_id = usage_in_detail.subscription_id
            and with_delivery.product_id = usage_in_detail.product_id
            and with_delivery.currency = usage_in_detail.currency

),

-- One purchase can create two identical lines with different occurrence numbers. Overlapping
-- reports without invoice numbers repeat a line with the same occurrence number, unless
-- apportion.toml states that each line counts.
with_occurrence as (

    select
        *,
        is_current and not is_sum_of_usage as is_candidate,
        row_number() over (
            partition by line_hash, is_current and not is_sum_of_usage, report
            order by
                provider nulls last,
                billed_quantity nulls last,
                tags nulls last,
                allocated_resource_id nulls last,
                allocated_tags nulls last,
                billing_line_details nulls last,
                billed_margin nulls last,
                landed_file nulls last,
                row_number nulls last
        ) as occurrence
    from with_usage

),

across_reports as (

    select
        *,
        row_number() over (
            partition by line_hash, occurrence, is_candidate, report is not null
            order by scope_key nulls last, landed_file nulls last
        ) as copy_number,
        count(*) over (
            partition by line_hash, occurrence, is_candidate, report is not null
        ) as holder_count
    from with_occurrence

),

final as (

    select
        *,
        case when report is not null then holder_count - 1 else 0 end as copy_count,
        case
            when not is_current then reason
            when is_sum_of_usage then 'usage_in_detail'
            when report is not null and copy_number > 1 then 'same_line'
            else 'billed'
        end as fate
    from across_reports

)

select * from final
