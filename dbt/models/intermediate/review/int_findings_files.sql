{{ config(materialized='view') }}
with

file_notes as (

    select * from {{ ref('stg_landing__file_notes') }}

),

files as (

    select * from {{ ref('stg_landing__files') }}

),

noted as (

    select
        kind,
        cast(null as string) as organization_id,
        cast(null as string) as subscription_id,
        cast(null as string) as billing_period,
        cast(null as string) as currency,
        cast(0 as decimal(28, 10)) as amount_at_stake,
        concat_ws('', file, ': ', message) as message
    from file_notes

),

with_gap as (

    select
        'parts_missing' as kind,
        cast(null as string) as organization_id,
        cast(null as string) as subscription_id,
        cast(null as string) as billing_period,
        cast(null as string) as currency,
        cast(0 as decimal(28, 10)) as amount_at_stake,
        concat_ws('', file, ': ', missing_parts) as message
    from files
    where missing_parts is not null

),

incomplete as (

    select
        'incomplete_export' as kind,
        cast(null as string) as organization_id,
        cast(null as string) as subscription_id,
        cast(null as string) as billing_period,
        cast(null as string) as currency,
        cast(0 as decimal(28, 10)) as amount_at_stake,
        concat_ws(
            '',
            case
                when count(*) = 1 then min(file)
                else concat_ws('', min(file), ' and ', count(*) - 1, ' more')
            end,
            ': ', reason
        ) as message
    from files
    where is_blocking
    group by reason

)

select * from noted
union all
select * from with_gap
union all
select * from incomplete
