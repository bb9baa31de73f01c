"""Relations of the warehouse, besides the marts, that Python reads by name.

Belongs here: every name of a staging or intermediate model in a query of Python code; tests allow
them nowhere else. Each model has an enforced dbt contract, so that a renamed column fails the build
of the model and not a reader. Does not: marts (contracted, read by their own names), raw tables
(written by Python).

Names are `schema.model`. A reader of an attached warehouse puts its alias in front:
f"from warehouse.{relations.ORGANIZATIONS}".
"""

SPLIT_HISTORY = "staging.stg_split_history__events"
BILLING_LINES = "intermediate.int_billing_lines"
COST_CENTERS = "intermediate.int_cost_centers"
DEFAULT_COST_CENTERS = "intermediate.int_default_cost_centers"
LINE_CUTOFFS = "intermediate.int_line_cutoffs"
LINE_ORGANIZATIONS = "intermediate.int_line_organizations"
LINE_SNAPSHOTS = "intermediate.int_line_snapshots"
ORGANIZATION_KEYS = "intermediate.int_organization_keys"
ORGANIZATIONS = "intermediate.int_organizations"
REPORT_ROWS = "intermediate.int_report_rows"
SHARED_COSTS = "intermediate.int_shared_costs"
SPLIT_EVENTS = "intermediate.int_split_events"
SPLIT_SNAPSHOTS = "intermediate.int_split_snapshots"

RELATIONS = (
    SPLIT_HISTORY,
    BILLING_LINES,
    COST_CENTERS,
    DEFAULT_COST_CENTERS,
    LINE_CUTOFFS,
    LINE_ORGANIZATIONS,
    LINE_SNAPSHOTS,
    ORGANIZATION_KEYS,
    ORGANIZATIONS,
    REPORT_ROWS,
    SHARED_COSTS,
    SPLIT_EVENTS,
    SPLIT_SNAPSHOTS,
)
