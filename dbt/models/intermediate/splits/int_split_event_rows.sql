{#- An organization that splits by its directory uses no other split. -#}
with

history_rows as (

    select * from {{ ref('int_split_history_rows') }}

),

directory_rows as (

    select * from {{ ref('int_directory_split_rows') }}

),

organizations as (

    select * from {{ ref('int_organizations') }}

),

history_rows_in_use as (

    select history_rows.*
    from history_rows
    left join organizations on history_rows.organization_id = organizations.organization_id
    where coalesce(organizations.split_source, 'history') <> 'directory'

)

select * from history_rows_in_use
union all
select * from directory_rows
