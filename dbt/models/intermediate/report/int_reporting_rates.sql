{#-
The exchange rate of each billing period into the reporting currency of apportion.toml: the last one on
or before the last day of the period. Empty without a reporting currency.
-#}
with

declared_settings as (

    select * from {{ ref('stg_landing__declared_settings') }}
    where reporting_currency is not null

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates') }}

),

statement_sections as (

    select * from {{ ref('int_statement_sections') }}

),

borne_costs as (

    select * from {{ ref('int_borne_costs') }}

),

-- Costs are also borne in periods without a bill, where nothing is charged.
amounts as (

    select
        billing_period,
        currency,
        abs(case when amount_basis = 'sales' then coalesce(total_sales, 0) else total_cost end)
            as charged_amount
    from statement_sections
    union all
    select
        billing_period,
        currency,
        0 as charged_amount
    from borne_costs

),

periods as (

    select
        billing_period,
        currency,
        cast({{ dbt.last_day(period_start('billing_period'), 'month') }} as date)
            as period_end_date,
        cast(sum(charged_amount) as decimal(28, 10)) as sum_of_charges
    from amounts
    group by billing_period, currency

),

with_rates as (

    select
        periods.*,
        declared_settings.reporting_currency,
        exchange_rates.rate_date as exchange_rate_date,
        {% for part in ['multiplier', 'divisor'] -%}
            case
                when periods.currency = declared_settings.reporting_currency
                    then cast(1 as decimal(28, 10))
                else exchange_rates.{{ part }}
            end as {{ part }}
            {%- if not loop.last %},{% endif %}
        {% endfor %}
    from periods
    cross join declared_settings
    left join exchange_rates
        on
            periods.currency = exchange_rates.from_currency
            and declared_settings.reporting_currency = exchange_rates.to_currency
            and periods.period_end_date >= exchange_rates.valid_from_date
            and periods.period_end_date < exchange_rates.valid_to_date

)

select
    *,
    cast(
        {{ in_other_currency('cast(1 as decimal(28, 10))', 'multiplier', 'divisor') }}
        as decimal(28, 10)
    ) as exchange_rate
from with_rates
