with

rule_rows as (

    select * from {{ ref('int_shared_cost_rule_rows') }}

),

summed as (

    select
        rule_id,
        organization_id,
        source_kind,
        source_key,
        max(source_id) as source_id,
        valid_from,
        max(valid_to) as valid_to,
        min(valid_to) as first_valid_to,
        min(method) as method,
        max(method) as last_method,
        sum(percent) as percent_total,
        count(*) as row_count,
        count(cost_center_id) as receiver_row_count,
        count(distinct cost_center_id) as receiver_count,
        min(case when is_rejected then concat_ws('', file, ' row ', row_number) end) as rejected_row
    from rule_rows
    group by rule_id, organization_id, source_kind, source_key, valid_from

),

-- Defects that only the rows of a rule together show.
checked as (

    select
        *,
        case
            when rejected_row is not null
                then concat_ws('', 'one of its rows is in quarantine: ', rejected_row)
            when method <> last_method
                then concat_ws(
                    '', 'its rows have different methods: ', method, ' and ', last_method
                )
            when first_valid_to <> valid_to then 'its rows end on different days'
            when percent_total > 100
                then
                    concat_ws(
                        '',
                        'its percentages are ', {{ plain_number('percent_total') }},
                        ' together, more than 100'
                    )
            when receiver_row_count > receiver_count then 'it names a cost center twice'
            when receiver_row_count > 0 and receiver_row_count < row_count
                then 'some of its rows name a receiver and some do not'
        end as problem
    from summed

)

select
    rule_id,
    organization_id,
    source_kind,
    source_key,
    source_id,
    method,
    receiver_count,
    valid_from,
    valid_to,
    problem
from checked
