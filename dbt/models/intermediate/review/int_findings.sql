{%- set models = [
    'int_findings_files',
    'int_findings_names',
    'int_findings_organizations',
    'int_findings_bills',
    'int_findings_usage',
    'int_findings_deliveries',
    'int_findings_lines',
    'int_findings_line_splits',
    'int_findings_prices',
    'int_findings_reporting',
    'int_findings_sales',
    'int_findings_directory',
    'int_findings_license_use',
    'int_findings_units',
    'int_findings_budgets',
    'int_findings_forecasts',
    'int_findings_refunds',
    'int_findings_splits',
    'int_findings_split_history',
    'int_findings_shared_rules',
    'int_findings_shared_costs',
] %}
with

findings as (

    {% for model in models %}
        select * from {{ ref(model) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

)

select * from findings
