{#- Before the totals of listed invoices decide. -#}
{{ config(materialized='view') }}
with

conflicts as (

    select * from {{ ref('int_delivery_conflicts') }}

),

delivery_order as (

    select * from {{ ref('int_delivery_order') }}

),

delivered_files as (

    select * from {{ ref('int_delivered_files') }}

),

declared_settings as (

    select * from {{ ref('stg_landing__declared_settings') }}

),

labels as (

    select
        delivery,
        max(coalesce(delivered_at, modified_at)) as delivered_at,
        case
            when count(*) = 1 then min(landed_file)
            else concat_ws('', min(landed_file), ' (', count(*), ' files)')
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
            order by delivered_at desc nulls last, family asc nulls last, delivery asc nulls last
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
        judged.delivery,
        judged.scope_key,
        judged.invoice_number,
        judged.source_format,
        judged.provider,
        judged.provider_key,
        judged.billing_date,
        judged.row_count,
        judged.repeated_count,
        judged.ordered_by,
        judged.part_file,
        judged.other_file,
        judged.label,
        judged.reason,
        others.label as other_label,
        case
            when judged.reason is null then 'counts'
            -- Equal lines in two reports are one line or two purchases, as declared.
            when judged.reason = 'overlap' and declared_settings.equal_lines is not null
                then 'counts'
            when judged.reason in ('later_run', 'delivered_again', 'copy') then 'replaced'
            else 'undecided'
        end as state
    from judged
    cross join declared_settings
    left join labels as others on judged.other_delivery = others.delivery

)

select * from stated
