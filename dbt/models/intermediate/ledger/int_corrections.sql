with

corrections as (

    select * from {{ ref('stg_corrections__corrections') }}

),

-- A part of an approved split is not the approved split.
damaged_files as (

    select content_hash
    from corrections
    where rejected_reason is not null
    group by content_hash

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where status = 'loaded'

),

-- The last approved split of a subscription and period is the correct one.
ranked_files as (

    select
        corrections.subscription_id,
        corrections.billing_period,
        corrections.content_hash,
        {{ newest_first(
            ['corrections.subscription_id', 'corrections.billing_period'],
            rows='files', whole_files=true
        ) }}
    from corrections
    inner join files
        on
            corrections.content_hash = files.content_hash
            and files.rejected_count = 0
    left join damaged_files on corrections.content_hash = damaged_files.content_hash
    where damaged_files.content_hash is null
    group by
        corrections.subscription_id,
        corrections.billing_period,
        corrections.content_hash,
        files.modified_at,
        files.file

),

newest as (

    select
        {{ surrogate_id([
            'corrections.subscription_id', 'corrections.billing_period',
            'corrections.content_hash',
        ]) }} as correction_id,
        corrections.subscription_id,
        corrections.billing_period,
        corrections.cost_center_id,
        cast(sum(corrections.allocated_quantity) as decimal(28, 10)) as allocated_quantity,
        max(corrections.approved_by) as approved_by,
        max(corrections.reason) as reason
    from corrections
    inner join ranked_files
        on
            corrections.subscription_id = ranked_files.subscription_id
            and corrections.billing_period = ranked_files.billing_period
            and corrections.content_hash = ranked_files.content_hash
            and ranked_files.newest_first = 1
    group by
        corrections.subscription_id,
        corrections.billing_period,
        corrections.content_hash,
        corrections.cost_center_id

)

select * from newest
