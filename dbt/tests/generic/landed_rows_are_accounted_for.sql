{#-
Fails with every file whose landed rows are not all billed, in quarantine or replaced, each exactly
once and with its amount: the rows and amounts of `amounts`, read from the raw tables, and the row
counts of `files`, counted when the file was read.
-#}
{% test landed_rows_are_accounted_for(model, files, amounts) %}

with

amounts_of_contents as (

    select
        content_hash,
        count(*) as row_count,
        sum(exact_amount) as exact_amount
    from {{ amounts }}
    group by content_hash

),

landed as (

    select
        files.file,
        files.row_count + files.rejected_count as row_count,
        coalesce(amounts_of_contents.row_count, 0) as amount_count,
        coalesce(amounts_of_contents.exact_amount, 0) as exact_amount
    from {{ files }} as files
    left join amounts_of_contents on files.content_hash = amounts_of_contents.content_hash
    where
        files.feed = 'billing_lines'
        and files.status in ('loaded', 'duplicate')
        and files.format <> 'export_manifest'

),

accounted_for as (

    select
        file,
        sum(row_count) as row_count,
        sum(billed_row_count + quarantined_row_count + replaced_row_count) as fate_count,
        sum(landed_total + rounding_residual) as exact_amount,
        sum(billed_total + quarantined_total + replaced_total + rounding_residual)
            as fate_amount
    from {{ model }}
    group by file

),

validation_errors as (

    select
        coalesce(landed.file, accounted_for.file) as file,
        landed.row_count as landed_row_count,
        landed.amount_count,
        accounted_for.row_count,
        accounted_for.fate_count,
        landed.exact_amount as landed_amount,
        accounted_for.exact_amount,
        accounted_for.fate_amount
    from landed
    full outer join accounted_for on landed.file = accounted_for.file
    where
        landed.row_count is distinct from landed.amount_count
        or landed.row_count is distinct from coalesce(accounted_for.row_count, 0)
        or landed.row_count is distinct from coalesce(accounted_for.fate_count, 0)
        or landed.exact_amount is distinct from coalesce(accounted_for.exact_amount, 0)
        or landed.exact_amount is distinct from coalesce(accounted_for.fate_amount, 0)

)

select * from validation_errors

{% endtest %}
