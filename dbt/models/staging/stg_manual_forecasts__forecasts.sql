with

{{ landed_planned_amounts('manual_forecasts') }}

select * from renamed
