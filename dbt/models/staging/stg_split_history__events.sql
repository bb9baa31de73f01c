{{ config(meta={
    'partition_column': 'content_hash',
    'partitioned_by': {'split_history': 'content_hash'},
}) }}

with

{{ landed_typed_checked(
    'split_history',
    typed={
        'effective_instant': instant_value('datetime'),
        'recorded_instant': instant_value('recorded_at'),
        'exact_total_quantity': decimal_value('total_quantity'),
        'exact_allocated_quantity': decimal_value('allocated_quantity'),
        'exact_sequence': decimal_value('sequence'),
    },
    checks=[
        needs_id('Subscription ID', 'subscription_id'),
        needs_text('Event', 'event'),
        needs_date('Datetime', 'datetime', 'effective_instant'),
        date_if_given('Recorded At', 'recorded_at', 'recorded_instant'),
        number_if_given('Total Quantity', 'total_quantity', 'exact_total_quantity'),
        (
            'Total Quantity',
            'total_quantity',
            'exact_total_quantity < 0',
            'is negative'
        ),
        (
            'Total Quantity',
            'total_quantity',
            'exact_total_quantity <> round(exact_total_quantity, 4)',
            'has more than four decimals'
        ),
        number_if_given(
            'Allocated Quantity', 'allocated_quantity', 'exact_allocated_quantity'
        ),
        (
            'Allocated Quantity',
            'allocated_quantity',
            'exact_allocated_quantity < 0',
            'is negative'
        ),
        (
            'Cost Center',
            'cost_center',
            text_value('cost_center') ~ ' is null and ' ~ given_id('cost_center_id')
            ~ ' is null and exact_allocated_quantity is not null',
            'is empty but a quantity is allocated'
        ),
        not_too_large('Total Quantity', 'total_quantity', 'exact_total_quantity', 100000000),
        not_too_large(
            'Allocated Quantity', 'allocated_quantity', 'exact_allocated_quantity', 100000000
        ),
        (
            'Allocated Quantity',
            'allocated_quantity',
            'exact_allocated_quantity <> round(exact_allocated_quantity, 4)',
            'has more than four decimals'
        ),
        number_if_given('Sequence', 'sequence', 'exact_sequence'),
        not_too_large('Sequence', 'sequence', 'exact_sequence', 1000000000000000),
    ],
) }},

renamed as (

    select
        file,
        row_number,
        content_hash,
        {{ id_value('subscription_id') }} as subscription_id,
        {{ text_value('event') }} as event,
        {{ match_key('event') }} as event_key,
        effective_instant as effective_at,
        -- An instant has a time of day: 2025-12-17T09:30, not 2025-12-17 or 17 December 2025.
        position(':' in datetime) = 0 as is_date_only,
        coalesce(recorded_instant, effective_instant) as recorded_at,
        {{ measure('exact_sequence') }} as event_sequence,
        {{ measure('exact_total_quantity') }} as total_quantity,
        {{ given_id('cost_center_id') }} as cost_center_id,
        {{ text_value('cost_center') }} as cost_center_name,
        {{ measure('exact_allocated_quantity') }} as allocated_quantity,
        {{ text_value('organization') }} as organization,
        {{ rejection() }}
    from checked

)

select * from renamed
