{#-
The amounts of every landed file of a bill by status: billed, in quarantine, replaced. A copy of a
file counts as replaced.
-#}
with

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

line_fates as (

    select * from {{ ref('int_line_fates') }}
    where fate <> 'billed'

),

quarantined_rows as (

    select * from {{ ref('int_quarantined_rows') }}
    where feed = 'billing_lines' and row_number is not null

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where feed = 'billing_lines' and content_hash is not null

),

currencies_of_bills as (

    select
        provider,
        invoice_number,
        case when invoice_number is null then billing_date end as report_date,
        case when count(distinct currency) = 1 then max(currency) end as currency
    from billing_lines
    group by
        provider,
        invoice_number,
        case when invoice_number is null then billing_date end

),

rows_of_files as (

    select
        landed_file,
        provider,
        invoice_number,
        case when invoice_number is null then billing_date end as report_date,
        currency,
        'billed' as became,
        cast(null as string) as reason,
        total_cost,
        rounding_residual
    from billing_lines
    union all
    select
        line_fates.landed_file,
        line_fates.provider,
        line_fates.invoice_number,
        line_fates.report_date,
        coalesce(line_fates.currency, currencies_of_bills.currency, 'XXX') as currency,
        'replaced' as became,
        line_fates.fate as reason,
        line_fates.total_cost,
        line_fates.rounding_residual
    from line_fates
    left join currencies_of_bills
        on
            line_fates.provider is not distinct from currencies_of_bills.provider
            and line_fates.invoice_number is not distinct from currencies_of_bills.invoice_number
            and line_fates.report_date is not distinct from currencies_of_bills.report_date
    union all
    select
        file as landed_file,
        provider,
        invoice_number,
        billing_date as report_date,
        currency,
        case when is_superseded then 'replaced' else 'quarantined' end as became,
        case when is_superseded then 'delivered_again' end as reason,
        total_cost,
        exact_cost - total_cost as rounding_residual
    from quarantined_rows

),

summed as (

    select
        landed_file,
        provider,
        invoice_number,
        report_date,
        currency,
        reason,
        count(*) as row_count,
        sum(total_cost) as landed_total,
        sum(rounding_residual) as rounding_residual,
    {%- for state in ['billed', 'quarantined', 'replaced'] %}
        count(case when became = '{{ state }}' then 1 end) as {{ state }}_row_count,
        coalesce(
            sum(case when became = '{{ state }}' then total_cost end), 0
        ) as {{ state }}_total{{ ',' if not loop.last }}
    {%- endfor %}
    from rows_of_files
    group by landed_file, provider, invoice_number, report_date, currency, reason

),

copied_files as (

    select
        copies.file as landed_file,
        min(originals.file) as copied_file
    from files as copies
    inner join files as originals
        on
            copies.content_hash = originals.content_hash
            and originals.status = 'loaded'
    where copies.status = 'duplicate'
    group by copies.file

),

copies as (

    select
        copied_files.landed_file,
        summed.provider,
        summed.invoice_number,
        summed.report_date,
        summed.currency,
        'same_content' as reason,
        summed.row_count,
        summed.landed_total,
        summed.rounding_residual,
        0 as billed_row_count,
        0 as billed_total,
        0 as quarantined_row_count,
        0 as quarantined_total,
        summed.row_count as replaced_row_count,
        coalesce(summed.landed_total, 0) as replaced_total
    from copied_files
    inner join summed on copied_files.copied_file = summed.landed_file

),

unioned as (

    select * from summed
    union all
    select * from copies

)

select
    landed_file,
    provider,
    invoice_number,
    report_date,
    currency,
    reason,
    cast(sum(row_count) as bigint) as row_count,
    cast(coalesce(sum(landed_total), 0) as decimal(28, 10)) as landed_total,
    cast(sum(billed_total) as decimal(28, 10)) as billed_total,
    cast(sum(quarantined_total) as decimal(28, 10)) as quarantined_total,
    cast(sum(replaced_total) as decimal(28, 10)) as replaced_total,
    cast(sum(billed_row_count) as bigint) as billed_row_count,
    cast(sum(quarantined_row_count) as bigint) as quarantined_row_count,
    cast(sum(replaced_row_count) as bigint) as replaced_row_count,
    cast(coalesce(sum(rounding_residual), 0) as decimal(38, 18)) as rounding_residual
from unioned
group by landed_file, provider, invoice_number, report_date, currency, reason
