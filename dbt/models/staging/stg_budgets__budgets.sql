with

{{ landed_planned_amounts('budgets') }}

select * from renamed
