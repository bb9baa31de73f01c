{#-
Monthly budgets and manual forecasts of cost centers. For a month that is planned twice, the file with
the latest modification time counts. An amount without organization belongs to the organization with the
cost center.
-#}
with

landed_amounts as (

    {% for plan_kind, model in [
        ('budget', 'stg_budgets__budgets'),
        ('manual_forecast', 'stg_manual_forecasts__forecasts'),
    ] %}
        select
            '{{ plan_kind }}' as plan_kind,
            file,
            row_number,
            content_hash,
            organization,
            cost_center_id,
            month,
            currency,
            amount
        from {{ ref(model) }}
        where rejected_reason is null
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where status = 'loaded'

),

organization_keys as (

    select * from {{ ref('int_organization_keys') }}

),

cost_centers as (

    select
        organization_id,
        cost_center_id
    from {{ ref('int_cost_centers') }}
    union
    select
        organization_id,
        cost_center_id
    from {{ ref('int_cost_center_units') }}

),

-- An id that two organizations use identifies neither of them.
owners as (

    select
        cost_center_id,
        case when count(*) = 1 then min(organization_id) end as organization_id
    from cost_centers
    group by cost_center_id

),

with_organization as (

    select
        landed_amounts.* {{ without('organization') }},
        coalesce(
            organization_keys.organization_id,
            landed_amounts.organization,
            owners.organization_id
        ) as organization_id
    from landed_amounts
    left join organization_keys
        on lower(landed_amounts.organization) = organization_keys.organization_key
    left join owners on landed_amounts.cost_center_id = owners.cost_center_id

),

ranked as (

    select
        with_organization.*,
        {{ newest_first(
            [
                'with_organization.plan_kind',
                'with_organization.organization_id',
                'with_organization.cost_center_id',
                'with_organization.month',
                'with_organization.currency',
            ],
            rows='with_organization'
        ) }},
        count(*) over month_of_file as rows_in_file,
        sum(with_organization.amount) over (month_of_file) - with_organization.amount
            as other_amounts
    from with_organization
    inner join files on with_organization.content_hash = files.content_hash
    window
        month_of_file as (
            partition by
                with_organization.plan_kind,
                with_organization.organization_id,
                with_organization.cost_center_id,
                with_organization.month,
                with_organization.currency,
                with_organization.file
        )

)

select
    ranked.plan_kind,
    ranked.organization_id,
    ranked.cost_center_id,
    cost_centers.cost_center_id is not null as is_known_cost_center,
    ranked.month,
    ranked.currency,
    ranked.amount,
    ranked.file,
    ranked.row_number,
    ranked.rows_in_file,
    cast(ranked.other_amounts as decimal(28, 10)) as other_amounts
from ranked
left join cost_centers
    on
        ranked.organization_id = cost_centers.organization_id
        and ranked.cost_center_id = cost_centers.cost_center_id
where ranked.newest_first = 1
