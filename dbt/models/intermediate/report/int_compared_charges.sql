{#-
The charges of each billing period and of the period before it: two sides of one comparison.
-#}
{{ config(materialized='view') }}
with

billing_report as (

    select * from {{ ref('billing_report') }}

),

charge_totals as (

    select * from {{ ref('int_charge_totals') }}

),

{{ period_pairs('billing_report') }},

final as (

    select
        sides.billing_period,
        sides.previous_billing_period,
        sides.side_period,
        sides.side,
        charge_totals.* {{ without('billing_period') }}
    from charge_totals
    inner join sides on charge_totals.billing_period = sides.side_period

)

select * from final
