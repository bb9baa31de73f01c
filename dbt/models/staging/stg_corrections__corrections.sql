with

{{ landed_typed_checked(
    'corrections',
    typed={
        'exact_allocated_quantity': decimal_value('allocated_quantity'),
    },
    checks=[
        needs_id('Subscription ID', 'subscription_id'),
        (
            'Billing Period',
            'billing_period',
            date_value("concat_ws('', trim(billing_period), '-01')") ~ ' is null',
            empty_or('billing_period', 'is not a month like 2026-01')
        ),
        needs_id('Cost Center ID', 'cost_center_id'),
        needs_number(
            'Allocated Quantity', 'allocated_quantity', 'exact_allocated_quantity'
        ),
        (
            'Allocated Quantity',
            'allocated_quantity',
            'exact_allocated_quantity < 0',
            'is negative'
        ),
        not_too_large(
            'Allocated Quantity', 'allocated_quantity', 'exact_allocated_quantity', 100000000
        ),
        (
            'Allocated Quantity',
            'allocated_quantity',
            'exact_allocated_quantity <> round(exact_allocated_quantity, 4)',
            'has more than four decimals'
        ),
        needs_text('Approved By', 'approved_by'),
        needs_text('Reason', 'reason'),
    ],
) }},

renamed as (

    select
        file,
        row_number,
        content_hash,
        {{ id_value('subscription_id') }} as subscription_id,
        trim(billing_period) as billing_period,
        {{ given_id('cost_center_id') }} as cost_center_id,
        {{ measure('exact_allocated_quantity') }} as allocated_quantity,
        {{ text_value('approved_by') }} as approved_by,
        {{ text_value('reason') }} as reason,
        {{ rejection() }}
    from checked

)

select * from renamed
