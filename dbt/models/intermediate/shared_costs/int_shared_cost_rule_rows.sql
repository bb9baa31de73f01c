{#-
Current rules for shared costs: rules that no newer file replaces. Quarantined rows are included,
because they make their whole rule unusable.
-#}
with

rules as (

    select * from {{ ref('stg_shared_costs__rules') }}

),

organization_keys as (

    select * from {{ ref('int_organization_keys') }}

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where status = 'loaded'

),

-- Rows without a source belong to no rule and are in quarantine only.
attributed as (

    select
        rules.*,
        files.modified_at,
        coalesce(organization_keys.organization_id, rules.organization) as organization_id,
        case
            when rules.source_kind = 'product' then lower(rules.source_id) else rules.source_id
        end as source_key
    from rules
    inner join files on rules.content_hash = files.content_hash
    left join organization_keys
        on lower(rules.organization) = organization_keys.organization_key
    where
        rules.organization is not null
        and rules.source_kind is not null
        and rules.valid_from is not null

),

-- For a rule in two files, the file with the latest modification time counts as a whole.
ranked as (

    select
        *,
        {{ newest_first(
            ['organization_id', 'source_kind', 'source_key', 'valid_from'],
            rows='attributed', files='attributed', whole_files=true
        ) }}
    from attributed

)

select
    {{ surrogate_id(['organization_id', 'source_kind', 'source_key', 'valid_from']) }} as rule_id,
    organization_id,
    source_kind,
    source_key,
    source_id,
    method,
    cost_center_id,
    percent,
    valid_from,
    coalesce(valid_to, cast({{ far_future() }} as date)) as valid_to,
    file,
    row_number,
    rejected_reason is not null as is_rejected
from ranked
where newest_first = 1
