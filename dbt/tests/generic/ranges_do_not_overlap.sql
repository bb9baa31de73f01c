{#-
Fails with every range that begins before the previous one ends. Ranges are valid_from inclusive to
valid_to exclusive. Without this test a line could match two splits and be billed twice.
-#}
{% test ranges_do_not_overlap(model, partition_by) %}

with

ranges as (

    select
        *,
        lag(coalesce(valid_to, {{ far_future() }})) over (
            partition by {{ partition_by | join(', ') }}
            order by valid_from nulls last, coalesce(valid_to, {{ far_future() }}) nulls last
        ) as valid_to_before
    from {{ model }}

),

validation_errors as (

    select * from ranges
    where valid_from < valid_to_before or valid_from > coalesce(valid_to, {{ far_future() }})

)

select * from validation_errors

{% endtest %}
