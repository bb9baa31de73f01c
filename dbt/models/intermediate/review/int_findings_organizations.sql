{#-
Findings on ids of organizations that differ only by case or spaces. Bills and lists match an
organization without regard to case, so two customers with such ids would become one.
-#}
{{ config(materialized='view') }}
with

organizations as (

    select * from {{ ref('int_organizations') }}

),

line_organizations as (

    select
        *,
        coalesce(customer_id, customer_name) as spelling
    from {{ ref('int_line_organizations') }}

),

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

listed as (

    {% for column in ['organization_id', 'organization_name', 'tenant_id', 'domain'] %}
        select {{ column }} as spelling from organizations
        {% if not loop.last %}union{% endif %}
    {% endfor %}

),

-- An id on bills that is listed letter by letter leaves no doubt.
spellings as (

    select
        'organization' as place,
        organization_id,
        organization_id as spelling
    from organizations
    union
    select
        'organization' as place,
        organization_id,
        organization_id as spelling
    from line_organizations
    where not is_known
    union
    select
        'bill' as place,
        line_organizations.organization_id,
        line_organizations.spelling
    from line_organizations
    left join listed on line_organizations.spelling = listed.spelling
    where line_organizations.is_known and listed.spelling is null

),

keyed as (

    select
        *,
        replace(lower(spelling), ' ', '') as spelling_key
    from spellings
    where spelling is not null

),

alike as (

    select
        place,
        spelling_key,
        min(organization_id) as organization_id,
        min(spelling) as first_spelling,
        max(spelling) as last_spelling
    from keyed
    group by place, spelling_key
    having count(distinct spelling) > 1

),

concerned as (

    select
        place,
        spelling_key,
        organization_id
    from keyed
    group by place, spelling_key, organization_id

),

amounts as (

    select
        concerned.place,
        concerned.spelling_key,
        billing_lines.currency,
        max(billing_lines.billing_period) as billing_period,
        sum(abs(billing_lines.total_cost)) as amount
    from concerned
    inner join billing_lines on concerned.organization_id = billing_lines.organization_id
    group by concerned.place, concerned.spelling_key, billing_lines.currency

),

final as (

    select
        'organization_ids_alike' as kind,
        alike.organization_id,
        cast(null as string) as subscription_id,
        amounts.billing_period,
        amounts.currency,
        coalesce(amounts.amount, 0) as amount_at_stake,
        concat_ws(
            '',
            'the ids "', alike.first_spelling, '" and "', alike.last_spelling,
            '" differ only by case or spaces; use one spelling, or other ids for two customers'
        ) as message
    from alike
    left join amounts
        on
            alike.place = amounts.place
            and alike.spelling_key = amounts.spelling_key

)

select * from final
