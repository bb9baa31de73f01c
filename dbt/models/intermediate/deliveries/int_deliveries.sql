{#-
If the rows of a delivery leave open whether it counts, the total of the listed invoice decides.
Otherwise nothing is published until the user decides.
-#}
with

stated as (

    select * from {{ ref('int_delivery_states') }}

),

delivered_lines as (

    select * from {{ ref('int_delivered_lines') }}

),

invoices as (

    select * from {{ ref('int_invoices') }}

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
        ) as {{ state }}_cost,
        -- Null if a line does not state its tax.
        case
            when
                count(case when stated.state = '{{ state }}' then 1 end)
                = count(
                    case when stated.state = '{{ state }}' then delivered_lines.tax_total end
                )
                then
                    coalesce(
                        sum(
                            case
                                when stated.state = '{{ state }}'
                                    then delivered_lines.tax_total
                            end
                        ),
                        0
                    )
        end as {{ state }}_tax{{ ',' if not loop.last }}
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
    ('without', 'candidates.counts_cost', 'candidates.counts_tax'),
    (
        'with',
        'candidates.counts_cost + candidates.undecided_cost',
        'candidates.counts_tax + candidates.undecided_tax',
    ),
    ('instead', 'candidates.undecided_cost', 'candidates.undecided_tax'),
] %}

compared_with_invoice as (

    select
        candidates.provider_key,
        candidates.invoice_number,
        {%- for name, cost, tax in fits %}
            min(
                case
                    when invoices.invoice_decimals is null then 0
                    when
                        abs(
                            coalesce(
                                invoices.exact_subtotal,
                                invoices.exact_total
                                - coalesce(invoices.exact_tax_total, {{ tax }})
                            )
                            - ({{ cost }})
                        ) * 2 <= {{ last_decimal('invoices.invoice_decimals') }}
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
        decided.other_label,
        decided.part_file,
        decided.other_file
    from decided

)

select * from final
