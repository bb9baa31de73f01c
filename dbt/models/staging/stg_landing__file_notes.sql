{{ config(materialized='view') }}

with

landed_files as (

    select * from {{ source('raw', 'landed_files') }}
    where status = 'loaded'

),

notes as (

    select
        file,
        feed,
        {{ each_json_object('notes') }} as note
    from landed_files

)

select
    file,
    feed,
    {{ json_text('note', 'kind') }} as kind,
    {{ json_text('note', 'message') }} as message
from notes
