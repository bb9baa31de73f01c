{#-
Fails with every parent entity whose amount is not its own plus that of the cost centers directly below
it: of a parent among them its whole amount, of any other cost center what it is charged. Reads the list
of parents, not unit_members.
-#}
{% test parents_hold_their_children(model) %}

with

parents as (

    select
        billing_period,
        organization_id,
        currency,
        unit_id,
        charged_amount,
        own_charged_amount
    from {{ model }}
    where unit_kind = 'parent' and unit_id <> '(none)'

),

charged as (

    select
        billing_period,
        organization_id,
        currency,
        cost_center_id,
        sum(charged_amount) as charged_amount
    from {{ ref('chargeback') }}
    group by billing_period, organization_id, currency, cost_center_id

),

-- A cost center whose chain of parents has no top has no parent.
children as (

    select
        cost_centers.organization_id,
        cost_centers.cost_center_id,
        cost_centers.parent_cost_center_id
    from {{ ref('dim_cost_center') }} as cost_centers
    left join {{ ref('unit_members') }} as without_parent
        on
            cost_centers.organization_id = without_parent.organization_id
            and cost_centers.cost_center_id = without_parent.cost_center_id
            and without_parent.unit_kind = 'parent'
            and without_parent.unit_id = '(none)'
    where
        cost_centers.parent_cost_center_id is not null
        and without_parent.cost_center_id is null

),

validation_errors as (

    select
        parents.billing_period,
        parents.organization_id,
        parents.currency,
        parents.unit_id,
        parents.charged_amount,
        parents.own_charged_amount,
        sum(coalesce(nested.charged_amount, charged.charged_amount, 0)) as amount_of_children
    from parents
    left join children
        on
            parents.organization_id = children.organization_id
            and parents.unit_id = children.parent_cost_center_id
    left join parents as nested
        on
            parents.billing_period = nested.billing_period
            and parents.organization_id = nested.organization_id
            and parents.currency = nested.currency
            and children.cost_center_id = nested.unit_id
    left join charged
        on
            parents.billing_period = charged.billing_period
            and parents.organization_id = charged.organization_id
            and parents.currency = charged.currency
            and children.cost_center_id = charged.cost_center_id
    group by
        parents.billing_period,
        parents.organization_id,
        parents.currency,
        parents.unit_id,
        parents.charged_amount,
        parents.own_charged_amount
    having
        parents.charged_amount - parents.own_charged_amount
        <> sum(coalesce(nested.charged_amount, charged.charged_amount, 0))

)

select * from validation_errors

{% endtest %}
