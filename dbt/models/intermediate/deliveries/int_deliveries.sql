{#-
One row per delivery and bill, with the decision whether it counts. If its rows leave the decision
open, the total of the listed invoice decides. Otherwise nothing is published until the user
decides.
-#}
with

conflicts as (

    select * from {{ ref('int_delivery_conflicts') }}

),

delivery_order as (

    select * from {{ ref('int_delivery_order') }}

),

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}

),

delivered_files as (

    select * from {{ ref('int_delivered_files') }}

),

invoices as (

    select * from {{ ref('int_invoices') }}

),

labels as (

    select
        delivery,
        max(coalesce(delivered_at, modified_at)) as delivered_at,
        case
            when count(*) = 1 then min(landed_file)
            else concat(min(landed_file), ' (', count(*), ' files)')
        end as label
    from delivered_files
    group by delivery

),

-- An invoice has files in one format of its provider, and separate files for its daily usage.
families as (

    select
        conflicts.delivery,
        conflicts.scope_key,
        conflicts.invoice_number,
        {{ match_key('conflicts.provider') }} as provider_key,
        case
            when conflicts.source_format in ('new_commerce_reconciliation', 'daily_rated_usage')
                then 'new_commerce'
            else conflicts.source_format
        end as family,
        labels.delivered_at
    from conflicts
    inner join labels on conflicts.delivery = labels.delivery
    where
        conflicts.invoice_number is not null
        and (conflicts.reason is null or conflicts.reason = 'overlap')

),

families_compared as (

    select
        delivery,
        scope_key,
        invoice_number,
        first_value(family) over newest <> family as is_of_other_format,
        first_value(delivery) over newest as newest_delivery
    from families
    window
        newest as (
            partition by provider_key, invoice_number
            order by delivered_at desc, family asc, delivery asc
            rows between unbounded preceding and unbounded following
        )

),

judged as (

    select
        conflicts.delivery,
        conflicts.scope_key,
        conflicts.invoice_number,
        conflicts.source_format,
        conflicts.provider,
        {{ match_key('conflicts.provider') }} as provider_key,
        conflicts.billing_date,
        conflicts.row_count,
        conflicts.repeated_count,
        conflicts.ordered_by,
        conflicts.part_file,
        conflicts.other_file,
        labels.label,
        case
            when families_compared.is_of_other_format then 'two_formats'
            else conflicts.reason
        end as reason,
        case
            when families_compared.is_of_other_format then families_compared.newest_delivery
            else coalesce(conflicts.newest_run, others.delivery)
        end as other_delivery
    from conflicts
    inner join labels on conflicts.delivery = labels.delivery
    left join delivery_order as others
        on
            conflicts.scope_key = others.scope_key
            and conflicts.repeated_by = others.newest_first
    left join families_compared
        on
            conflicts.delivery = families_compared.delivery
            and conflicts.scope_key = families_compared.scope_key
            and conflicts.invoice_number = families_compared.invoice_number

),

stated as (

    select
        *,
        case
            when reason is null or reason = 'overlap' then 'counts'
            when reason in ('later_run', 'delivered_again', 'copy') then 'replaced'
            else 'undecided'
        end as state
    from judged

),

undecided_bills as (

    select
        provider_key,
        invoice_number
    from stated
    where state = 'undecided' and invoice_number is not null
    group by provider_key, invoice_number

),

-- The invoice's total compared with the deliveries that count, with and without the undecided ones.
candidates as (

    select
        stated.provider_key,
        stated.invoice_number,
        delivered_lines.currency,
        count(distinct case when stated.state = 'counts' then stated.delivery end)
            as counting_count,
        count(distinct case when stated.state = 'undecided' then stated.delivery end)
            as undecided_count,
    {%- for state in ['counts', 'undecided'] %}
        sum(
            case
                when stated.state = '{{ state }}'
                    then delivered_lines.total_cost + delivered_lines.rounding_residual
                else 0
            end
        ) as {{ state }}_cost{{ ',' if not loop.last }}
    {%- endfor %}
    from stated
    inner join undecided_bills
        on
            stated.provider_key is not distinct from undecided_bills.provider_key
            and stated.invoice_number = undecided_bills.invoice_number
    inner join delivered_lines
        on
            stated.delivery = delivered_lines.delivery
            and stated.scope_key = delivered_lines.scope_key
            and stated.invoice_number = delivered_lines.invoice_number
    where
        delivered_lines.rejected_reason is null
        and stated.source_format <> 'daily_rated_usage'
    group by stated.provider_key, stated.invoice_number, delivered_lines.currency

),

{%- set fits = [
    ('without', 'candidates.counts_cost'),
    ('with', 'candidates.counts_cost + candidates.undecided_cost'),
    ('instead', 'candidates.undecided_cost'),
] %}

compared_with_invoice as (

    select
        candidates.provider_key,
        candidates.invoice_number,
        {%- for name, cost in fits %}
            min(
                case
                    when invoices.subtotal_decimals is null then 0
                    when
                        abs(invoices.exact_subtotal - ({{ cost }})) * 2
                        <= {{ last_decimal('invoices.subtotal_decimals') }}
                        then 1
                    else 0
                end
            ) = 1 as fits_{{ name }},
        {%- endfor %}
        max(candidates.counting_count) = 1 and max(candidates.undecided_count) = 1
            as are_two
    from candidates
    left join invoices
        on
            candidates.provider_key is not distinct from {{ match_key('invoices.provider') }}
            and candidates.invoice_number = invoices.invoice_number
            and candidates.currency = invoices.currency
    group by candidates.provider_key, candidates.invoice_number

),

decided as (

    select
        stated.*,
        case
            when stated.state = 'undecided' and compared_with_invoice.fits_without
                then 'replaced'
            when stated.state = 'undecided' and compared_with_invoice.fits_with
                then 'counts'
            when
                stated.state = 'undecided'
                and compared_with_invoice.fits_instead
                and compared_with_invoice.are_two
                then 'counts'
            when
                stated.state = 'counts'
                and compared_with_invoice.fits_instead
                and compared_with_invoice.are_two
                and not compared_with_invoice.fits_without
                and not compared_with_invoice.fits_with
                then 'replaced'
            else stated.state
        end as final_state
    from stated
    left join compared_with_invoice
        on
            stated.provider_key is not distinct from compared_with_invoice.provider_key
            and stated.invoice_number = compared_with_invoice.invoice_number
            and stated.source_format <> 'daily_rated_usage'

),

final as (

    select
        decided.delivery,
        decided.scope_key,
        decided.invoice_number,
        decided.source_format,
        decided.provider,
        decided.billing_date,
        decided.row_count,
        decided.repeated_count,
        decided.label,
        decided.final_state as state,
        decided.final_state = 'counts' as is_current,
        case
            when decided.final_state <> decided.state then 'invoice_total'
            else decided.reason
        end as reason,
        case when decided.reason is not null then decided.ordered_by end as ordered_by,
        others.label as other_label,
        decided.part_file,
        decided.other_file
    from decided
    left join labels as others on decided.other_delivery = others.delivery

)

select * from final
