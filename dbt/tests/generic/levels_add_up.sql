{#-
Fails if the forecasts of a level do not sum to those of the next: cost centers, business units,
organizations, total.
-#}
{% test levels_add_up(model) %}

with

summed as (

    select
        currency,
        month,
        level,
        sum(forecast) as forecast,
        sum(sales_forecast) as sales_forecast
    from {{ model }}
    group by currency, month, level

),

-- A missing level fails, too.
validation_errors as (

    select
        currency,
        month,
        count(*) as level_count,
        min(forecast) as lowest_forecast,
        max(forecast) as highest_forecast,
        min(sales_forecast) as lowest_sales_forecast,
        max(sales_forecast) as highest_sales_forecast
    from summed
    group by currency, month
    having
        count(*) <> 4
        or min(forecast) <> max(forecast)
        or min(sales_forecast) is distinct from max(sales_forecast)
        or count(sales_forecast) not in (0, 4)

)

select * from validation_errors

{% endtest %}
