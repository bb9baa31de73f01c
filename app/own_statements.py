"""The statements of an owner's cost centers, as files to download.

Belongs here: making them from the tables that the owner sees. Does not: their content and layout
(dagster_project/exports), Streamlit.

They are those that the owner gets by mail: without cost, and without the total of the organization.
"""

from app.published import Viewer, tables
from dagster_project.exports.scope import Scope
from dagster_project.exports.statement_look import read_look
from dagster_project.exports.statements import Document, statement_documents
from dagster_project.mail.settings import read_delivery
from dagster_project.settings import DataFolder


def own_statements(data: DataFolder, viewer: Viewer, period: str) -> tuple[Document, ...]:
    """The statements of a period, one per cost center and currency.

    Raises ValueError for a viewer who owns no cost centers: others have exports. Raises
    StatementDiffers, DeliveryInvalid and StyleInvalid.
    """
    if viewer.cost_center_ids is None:
        raise ValueError("statements of own cost centers are for their owners")
    look = read_look(data, read_delivery(data).statements)
    scope = Scope(period, period, viewer.customer_id, "customer")
    with tables(data, viewer) as connection:
        return tuple(statement_documents(connection, scope, look, has_bill_total=False))
