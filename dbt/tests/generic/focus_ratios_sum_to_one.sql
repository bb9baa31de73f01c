{#-
Fails with every charge whose AllocatedRatio values in the JSON do not sum to exactly 1, or that has
a ratio on some parts only. A difference in the tenth decimal would already leave money unallocated.
-#}
{% test focus_ratios_sum_to_one(model) %}

with

ratios as (

    select
        x_BillingPeriod,
        x_LineId,
        cast(
            {{ json_text('AllocatedMethodDetails', 'Elements[0].AllocatedRatio') }}
            as decimal(18, 10)
        ) as ratio
    from {{ model }}

),

validation_errors as (

    select
        x_BillingPeriod,
        x_LineId,
        sum(ratio) as ratio_total,
        count(ratio) as ratio_count,
        count(*) as part_count
    from ratios
    group by x_BillingPeriod, x_LineId
    having count(ratio) > 0 and (sum(ratio) <> 1 or count(ratio) <> count(*))

)

select * from validation_errors

{% endtest %}
