with

balances as (

    select * from {{ ref('int_delivery_balances') }}

),

files as (

    select * from {{ ref('stg_landing__files') }}

),

deliveries as (

    select * from {{ ref('int_deliveries') }}

),

-- A delivery can have several bills of one number: of one invoice in two billing periods.
replacing as (

    select
        delivery,
        invoice_number,
        reason,
        max(other_label) as other_label
    from deliveries
    where not is_current
    group by delivery, invoice_number, reason

),

final as (

    select
        balances.landed_file as file,
        balances.provider,
        balances.invoice_number,
        balances.report_date as billing_date,
        balances.currency,
        balances.landed_total,
        balances.billed_total,
        balances.quarantined_total,
        balances.replaced_total,
        balances.row_count,
        balances.billed_row_count,
        balances.quarantined_row_count,
        balances.replaced_row_count,
        balances.rounding_residual,
        balances.reason as replaced_reason,
        case
            when balances.reason = 'same_content'
                then substr(files.reason, length('same content as ') + 1)
            else replacing.other_label
        end as replaced_by,
        files.delivery
    from balances
    inner join files on balances.landed_file = files.file
    left join replacing
        on
            files.delivery = replacing.delivery
            and balances.invoice_number is not distinct from replacing.invoice_number
            and balances.reason = replacing.reason

)

select * from final
