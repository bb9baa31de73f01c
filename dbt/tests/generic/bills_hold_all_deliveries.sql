{#-
Fails with every currency in which the bills do not contain all rows of the deliveries: `deliveries` has the
landed files, the model the bills. Lines of closed periods whose files are gone are in the bills alone.
-#}
{% test bills_hold_all_deliveries(model, deliveries) %}

with

of_deliveries as (

    select
        currency,
        sum(billed_total) as billed_total,
        sum(quarantined_total) as quarantined_total,
        sum(replaced_total) as replaced_total
    from {{ deliveries }}
    group by currency

),

of_bills as (

    select
        currency,
        sum(lines_total) as lines_total,
        sum(lines_total - posted_total) as billed_total,
        sum(quarantined_total) as quarantined_total,
        sum(replaced_total) as replaced_total,
        sum(landed_total) as landed_total
    from {{ model }}
    where currency is not null
    group by currency

),

validation_errors as (

    select
        coalesce(of_deliveries.currency, of_bills.currency) as currency,
        of_deliveries.billed_total,
        of_bills.billed_total as billed_total_of_bills,
        of_deliveries.quarantined_total,
        of_bills.quarantined_total as quarantined_total_of_bills,
        of_deliveries.replaced_total,
        of_bills.replaced_total as replaced_total_of_bills,
        of_bills.landed_total
    from of_deliveries
    full outer join of_bills on of_deliveries.currency = of_bills.currency
    where
        coalesce(of_deliveries.billed_total, 0) <> coalesce(of_bills.billed_total, 0)
        or coalesce(of_deliveries.quarantined_total, 0)
        <> coalesce(of_bills.quarantined_total, 0)
        or coalesce(of_deliveries.replaced_total, 0) <> coalesce(of_bills.replaced_total, 0)
        or of_bills.landed_total
        <> of_bills.lines_total + of_bills.quarantined_total + of_bills.replaced_total

)

select * from validation_errors

{% endtest %}
