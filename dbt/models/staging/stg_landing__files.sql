{{ config(materialized='view') }}

with

landed_files as (

    select * from {{ source('raw', 'landed_files') }}

)

select * from landed_files
