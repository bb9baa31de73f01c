{#-
The order of effects is fixed: seats at the previous amount per seat, then the amount per seat at the
new seats. Of each comparison one part is the remainder, so that the parts sum to the change.
-#}
{%- set keys = [
    'organization_id', 'cost_center_id', 'currency', 'subscription_id', 'product_name', 'charge_group',
] | join(', ') -%}
with

billing_report as (

    select * from {{ ref('billing_report') }}

),

chargeback as (

    select * from {{ ref('chargeback') }}

),

subscription_changes as (

    select * from {{ ref('subscription_changes') }}

),

{{ period_pairs('billing_report') }},

charges as (

    select
        billing_period,
        organization_id,
        organization_name,
        cost_center_id,
        cost_center_name,
        currency,
        subscription_id,
        product_name,
        {{ charge_group() }} as charge_group,
        quantity,
        quantity_unit,
        charged_amount as amount,
        amount_basis
    from billing_report
    union all
    select
        billing_period,
        organization_id,
        organization_name,
        cost_center_id,
        cost_center_name,
        currency,
        null as subscription_id,
        product_name,
        'shared' as charge_group,
        0 as quantity,
        null as quantity_unit,
        case when amount_basis = 'sales' then shared_sales else shared_cost end as amount,
        amount_basis
    from chargeback
    where shared_cost <> 0 or shared_sales <> 0

),

summed as (

    select
        billing_period,
        {{ keys }},
        {{ latest_name('organization_name') }} as organization_name,
        {{ latest_name('cost_center_name') }} as cost_center_name,
        max(amount_basis) as amount_basis,
        sum(quantity) as quantity,
        min(quantity_unit) as first_unit,
        max(quantity_unit) as last_unit,
        sum(amount) as amount
    from charges
    group by billing_period, {{ keys }}

),

-- From here, one row per pair of periods and key.
paired as (

    select
        sides.billing_period,
        sides.previous_billing_period,
        {{ keys }},
        max_by(organization_name, side_period) as organization_name,
        max_by(cost_center_name, side_period) as cost_center_name,
        min(amount_basis) as amount_basis,
        case when min(first_unit) = max(last_unit) then min(first_unit) end as quantity_unit,
        {{ quantity_of_side('previous') }} as previous_quantity,
        {{ quantity_of_side('now') }} as quantity,
        {{ sum_of_side('previous', 'amount') }} as previous_amount,
        {{ sum_of_side('now', 'amount') }} as amount
    from summed
    inner join sides on summed.billing_period = sides.side_period
    group by sides.billing_period, sides.previous_billing_period, {{ keys }}

),

measured as (

    select
        paired.*,
        subscription_changes.status,
        subscription_changes.previous_quantity as subscription_previous_quantity,
        subscription_changes.previous_amount as subscription_previous_amount,
        subscription_changes.previous_unit_amount,
        subscription_changes.unit_amount,
        paired.quantity - paired.previous_quantity as seats,
        sum(greatest(paired.quantity - paired.previous_quantity, 0)) over subscription as gained,
        sum(greatest(paired.previous_quantity - paired.quantity, 0)) over subscription as lost
    from paired
    left join subscription_changes
        on
            paired.billing_period = subscription_changes.billing_period
            and paired.organization_id = subscription_changes.organization_id
            and paired.currency = subscription_changes.currency
            -- A condition on one side alone would compare all rows of an organization with each
            -- other.
            and case
                when paired.charge_group in ('cycle', 'prorated')
                    then coalesce(paired.subscription_id, '')
            end
            = coalesce(subscription_changes.subscription_id, '')
            and coalesce(paired.product_name, '') = coalesce(subscription_changes.product_name, '')
    window
        subscription as (
            partition by
                paired.billing_period,
                paired.organization_id,
                paired.currency,
                paired.subscription_id,
                paired.product_name,
                paired.charge_group,
                paired.quantity_unit
        )

),

{{ effects_of_change('measured') }},

parts as (

    {% for condition, part, change in [
        ('is_compared', "'seats'", 'change - price_change - split_change'),
        ('is_compared', "'price'", 'price_change'),
        ('is_compared', "'splits'", 'split_change'),
        ('not is_compared', change_part(), 'change'),
    ] %}
        select
            * {{ without('change') }},
            {{ part }} as part,
            cast({{ change }} as decimal(28, 10)) as change
        from effects
        where {{ condition }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

final as (

    select
        billing_period,
        previous_billing_period,
        organization_id,
        organization_name,
        cost_center_id,
        cost_center_name,
        currency,
        subscription_id,
        product_name,
        charge_group,
        part,
        change,
        previous_quantity,
        quantity,
        previous_unit_amount,
        unit_amount,
        previous_amount,
        amount,
        amount_basis,
        quantity_unit,
        {{ period_start('billing_period') }} as billing_period_start
    from parts
    where change <> 0

)

select * from final
