{#-
The decision on a delivery's bill from a comparison of its rows with those of newer deliveries: it
counts, is replaced, or is undecided. The first matching rule applies (DECISIONS.md, "Deliveries").
-#}
with

compared as (

    select * from {{ ref('int_delivery_comparisons') }}

),

judged as (

    select
        *,
        case
            when is_older_run then 'later_run'
            when
                repeated_count > 0
                and repeated_count + newer_unreadable_row_count
                >= row_count + unreadable_row_count
                and identical_count = row_count
                then 'copy'
            when
                repeated_count > 0
                and repeated_count + newer_unreadable_row_count
                >= row_count + unreadable_row_count
                then 'delivered_again'
            when
                tied_with is not null
                and tied_equally_count = row_count
                and tied_row_count = row_count
                then 'copy'
            -- Reports may overlap, or contain equal purchases.
            when
                tied_with is not null
                and not is_tied_run
                and invoice_number is null
                and source_format <> 'focus_cost_and_usage'
                and tied_equally_count = tied_count
                then 'overlap'
            when tied_with is not null or is_tied_run then 'same_time'
            when repeated_count > 0 and is_in_newer_run then 'later_run'
            when repeated_count > 0 and is_in_newer_file_of_name then 'delivered_again'
            when
                repeated_count > 0
                and invoice_number is null
                and source_format <> 'focus_cost_and_usage'
                and identical_count = repeated_count
                then 'overlap'
            when repeated_count > 0 then 'partly_again'
            when part_file is not null then 'part_repeated'
        end as reason
    from compared

),

-- A folder named for a date may be one run or an inbox. If a later folder repeats a part of its
-- bill, the other parts may still be in force or not.
beside_replaced as (

    select
        scope_key,
        invoice_number,
        run_group,
        max(case when reason = 'later_run' then 1 else 0 end) = 1 as is_partly_replaced,
        min(case when reason = 'later_run' then repeated_by end) as repeated_by
    from judged
    where run_group is not null
    group by scope_key, invoice_number, run_group

),

final as (

    select
        judged.delivery,
        judged.scope_key,
        judged.invoice_number,
        judged.source_format,
        judged.provider,
        judged.billing_date,
        judged.row_count,
        judged.repeated_count,
        judged.newest_first,
        judged.ordered_by,
        judged.part_file,
        judged.other_file,
        case
            when judged.reason is null and beside_replaced.is_partly_replaced
                then 'beside_replaced'
            else judged.reason
        end as reason,
        case
            when judged.is_older_run or judged.is_tied_run then judged.newest_run
        end as newest_run,
        case
            when judged.reason = 'same_time' or judged.repeated_by is null
                then coalesce(judged.tied_with, beside_replaced.repeated_by)
            else judged.repeated_by
        end as repeated_by
    from judged
    left join beside_replaced
        on
            judged.scope_key = beside_replaced.scope_key
            and judged.invoice_number is not distinct from beside_replaced.invoice_number
            and judged.run_group = beside_replaced.run_group

)

select * from final
