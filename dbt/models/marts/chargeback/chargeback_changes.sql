{%- set parts = [
    'price', 'seats', 'splits', 'new_subscriptions', 'ended_subscriptions', 'billing_cycles', 'usage',
    'credits', 'taxes', 'currency', 'sharing',
] -%}
{%- set keys = 'organization_id, cost_center_id, currency' -%}
with

billing_report as (

    select * from {{ ref('billing_report') }}

),

chargeback as (

    select * from {{ ref('chargeback') }}

),

details as (

    select * from {{ ref('chargeback_change_details') }}

),

{{ period_pairs('billing_report') }},

paired as (

    select
        sides.billing_period,
        sides.previous_billing_period,
        chargeback.organization_id,
        max_by(chargeback.organization_name, sides.side_period) as organization_name,
        chargeback.cost_center_id,
        max_by(chargeback.cost_center_name, sides.side_period) as cost_center_name,
        chargeback.currency,
        min(chargeback.amount_basis) as amount_basis,
        {{ sum_of_side('previous', 'chargeback.charged_amount') }} as previous_amount,
        {{ sum_of_side('now', 'chargeback.charged_amount') }} as charged_amount
    from chargeback
    inner join sides on chargeback.billing_period = sides.side_period
    group by
        sides.billing_period,
        sides.previous_billing_period,
        chargeback.organization_id,
        chargeback.cost_center_id,
        chargeback.currency

),

explained as (

    select
        billing_period,
        {{ keys }},
        {% for part in parts %}
            sum(case when part = '{{ part }}' then change else 0 end) as {{ part }}_change
            {% if not loop.last %},{% endif %}
        {% endfor %}
    from details
    group by billing_period, {{ keys }}

),

final as (

    select
        paired.billing_period,
        paired.previous_billing_period,
        paired.organization_id,
        paired.organization_name,
        paired.cost_center_id,
        paired.cost_center_name,
        paired.currency,
        paired.amount_basis,
        paired.previous_amount,
        paired.charged_amount,
        cast(paired.charged_amount - paired.previous_amount as decimal(28, 10)) as change,
        {% for part in parts %}
            cast(coalesce(explained.{{ part }}_change, 0) as decimal(28, 10)) as {{ part }}_change
            ,
        {% endfor %}
        {{ period_start('paired.billing_period') }} as billing_period_start
    from paired
    left join explained
        on
            paired.billing_period = explained.billing_period
            and paired.organization_id = explained.organization_id
            and paired.cost_center_id = explained.cost_center_id
            and paired.currency = explained.currency

)

select * from final
