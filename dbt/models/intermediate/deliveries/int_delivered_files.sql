{#- Content that two runs of an export share has one row in each run. -#}
with

files as (

    select * from {{ ref('stg_landing__files') }}
    where
        feed = 'billing_lines'
        and status = 'loaded'
        and format <> 'export_manifest'
        and content_hash is not null

),

provider_folders as (

    select * from {{ ref('provider_folders') }}

),

-- The folder states the provider if the bill does not.
named_by_folder as (

    select
        files.file,
        min(provider_folders.provider) as folder_provider
    from files
    inner join provider_folders
        on
            {{ regexp_contains(
                'lower(files.file)',
                "concat_ws('', '(^|[^a-z])', provider_folders.word, '([^a-z]|$)')"
            ) }}
    group by files.file

),

final as (

    select
        files.file as landed_file,
        files.content_hash,
        files.delivery,
        files.has_manifest,
        files.series,
        files.run_group,
        files.delivered_at,
        files.run_number,
        files.modified_at,
        files.is_whole_period,
        files.known_columns,
        files.rejected_count,
        -- A delivery of several files has no file name of its own.
        case when files.delivery like 'file:%' then files.base_name end as base_name,
        named_by_folder.folder_provider
    from files
    left join named_by_folder on files.file = named_by_folder.file

)

select * from final
