"""What all pages share of the screen: sidebar, headings, tables with their files, the cache.

Belongs here: Streamlit, and what is looked at. Does not: SQL (figures), markup (markup), what one
page shows (views/).
"""

import hashlib
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import streamlit as st

from app import figures, markup
from app.figures import Query, Row, Selection
from app.published import UnknownOrganization, Version, Viewer, tables
from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.exports.scope import file_name, write_csv
from dagster_project.settings import DataFolder

APP_FOLDER = Path(__file__).resolve().parent
PAGE_ROWS = 50
PICKER_ROWS = 10_000
ALL = ""


@dataclass(frozen=True)
class Looking:
    """Who looks at what: the pages' common ground."""

    data: DataFolder
    viewer: Viewer
    version: Version
    periods: tuple[str, ...]
    """The latest first."""
    period: str
    organizations: Mapping[str, str]
    organization_id: str | None

    @property
    def selection(self) -> Selection:
        """The period and the organization of the sidebar."""
        return Selection(self.period, self.organization_id)

    @property
    def earlier_period(self) -> str | None:
        """The billing period before the one looked at."""
        later_to_earlier = self.periods[self.periods.index(self.period) + 1 :]
        return later_to_earlier[0] if later_to_earlier else None

    @property
    def whose(self) -> str:
        """Whose figures these are, in words."""
        if self.organization_id is None:
            return "all organizations"
        return self.organizations[self.organization_id]


# --- asking ----------------------------------------------------------------------------


@st.cache_data(max_entries=500, show_spinner=False)
def _rows(
    root: str, viewer: Viewer, version: Version, query: Query, limit: int, offset: int
) -> list[Row]:
    with tables(DataFolder(Path(root)), viewer) as connection:
        return figures.fetch(connection, query, limit, offset)


@st.cache_data(max_entries=500, show_spinner=False)
def _count(root: str, viewer: Viewer, version: Version, query: Query) -> int:
    with tables(DataFolder(Path(root)), viewer) as connection:
        return figures.count(connection, query)


@st.cache_data(max_entries=20, show_spinner=False)
def _marts(root: str, viewer: Viewer, version: Version) -> dict[str, dict[str, str]]:
    with tables(DataFolder(Path(root)), viewer) as connection:
        return figures.marts(connection)


def looking() -> Looking:
    """What the sidebar says, for the page that runs now."""
    found: Looking = st.session_state["looking"]
    return found


def ask(query: Query, limit: int = PICKER_ROWS, offset: int = 0) -> list[Row]:
    """Rows of an answer, kept for as long as this file is the published one."""
    here = looking()
    return _rows(str(here.data.root), here.viewer, here.version, query, limit, offset)


def count(query: Query) -> int:
    """How many rows an answer has."""
    here = looking()
    return _count(str(here.data.root), here.viewer, here.version, query)


def columns_of(mart: str) -> Mapping[str, str] | None:
    """The columns of a published mart with their types; None if it is not published."""
    here = looking()
    return _marts(str(here.data.root), here.viewer, here.version).get(mart)


# --- the frame -------------------------------------------------------------------------


def open_app() -> None:
    """Draw the frame of the app and run the page that is asked for."""
    st.set_page_config(page_title="Apportion", layout="wide")
    st.html(APP_FOLDER / "style.css")
    data = DataFolder.from_environment()
    try:
        viewer = Viewer.from_start(sys.argv[1:])
        version = Version.now(data)
        page = st.navigation(_pages(viewer))
        st.session_state["looking"] = _sidebar(data, viewer, version)
    except ApportionError as error:
        problem(str(error))
        st.stop()
    page.run()


def _pages(viewer: Viewer) -> dict[str, list[st.Page]]:
    # Not in a folder called pages: those Streamlit would run without what main.py does first.
    def page(name: str, title: str, is_first: bool = False) -> st.Page:
        return st.Page(f"views/{name}.py", title=title, default=is_first)

    bills = [
        page("this_month", "This month at a glance", is_first=True),
        page("chargeback", "Chargeback"),
        page("trend", "Trend"),
        page("budget", "Budget"),
    ]
    licenses = [
        page("license_pool", "License pool"),
        page("cost_center_history", "Cost center history"),
    ]
    if viewer.is_customer:
        return {"Bills": bills, "Licenses": licenses}
    review = [page("findings", "Findings to review"), page("reconciliation", "Reconciliation")]
    if viewer.may_edit:
        licenses.append(page("change_split", "Change a split"))
    return {"Bills": bills, "Review": review, "Licenses": licenses}


def _sidebar(data: DataFolder, viewer: Viewer, version: Version) -> Looking:
    root = str(data.root)
    statuses = {
        str(row["billing_period"]): str(row["status"])
        for row in _rows(root, viewer, version, figures.periods(), PICKER_ROWS, 0)
    }
    organizations = {
        str(row["organization_id"]): str(row["organization_name"])
        for row in _rows(root, viewer, version, figures.organizations(), PICKER_ROWS, 0)
    }
    if viewer.customer_id is not None and viewer.customer_id not in organizations:
        raise UnknownOrganization(f"Nothing is published for an organization {viewer.customer_id}.")
    if not statuses:
        raise ApportionError(
            "No bill has landed yet: put one into landing/billing_lines and run make run."
        )
    with st.sidebar:
        period = pick(
            "Billing period",
            "period",
            {value: f"{wording.period(value)} ({status})" for value, status in statuses.items()},
        )
        if viewer.customer_id is not None:
            organization_id = viewer.customer_id
        else:
            organization_id = pick(
                "Organization", "organization", {ALL: "All organizations", **organizations}
            )
        published_at = datetime.fromtimestamp(version.modified_ns / 1e9, UTC)
        st.caption(f"Published {wording.instant(published_at)} UTC")
        _tell_of_news(data, version)
    return Looking(
        data, viewer, version, tuple(statuses), period, organizations, organization_id or None
    )


@st.fragment(run_every="20s")
def _tell_of_news(data: DataFolder, shown: Version) -> None:
    try:
        is_new = Version.now(data) != shown
    except ApportionError:
        is_new = False
    if is_new and st.button("New results are published: show them", type="primary"):
        st.rerun()


def pick(label: str, key: str, options: Mapping[str, str], help: str | None = None) -> str:
    """A picker whose choice stands in the address, so that what one sees can be shared.

    `options` are values with their words, the first one the default. A value of the address that is
    no option counts for nothing.
    """
    seen = f"{key} in the address"
    asked = st.query_params.get(key)
    if asked is not None and asked != st.session_state.get(seen) and asked in options:
        st.session_state[key] = asked
    if st.session_state.get(key) not in options:
        st.session_state[key] = next(iter(options))
    chosen = st.selectbox(
        label, list(options), key=key, format_func=lambda value: options[value], help=help
    )
    remember_in_address(key, chosen)
    return chosen


def remember_in_address(key: str, value: str | None) -> None:
    """Put a choice into the address, or take it out."""
    if value:
        st.query_params[key] = value
    elif key in st.query_params:
        del st.query_params[key]
    st.session_state[f"{key} in the address"] = value


# --- parts of pages --------------------------------------------------------------------


def heading(title: str, under: str = "") -> None:
    """A page's heading, and plain words below it."""
    below = f'<p class="under">{escape(under)}</p>' if under else ""
    st.html(f'<h1 class="page">{escape(title)}</h1>{below}')


def problem(words: str) -> None:
    """Something that keeps a page from showing anything, in words."""
    st.html(markup.said(escape(words), "bad"))


def nothing(words: str) -> None:
    """That there is nothing to show, and what to do about it."""
    st.html(markup.said(escape(words), "neutral"))


def unpriced_said(selection: Selection, is_corrected: bool = False) -> list[str]:
    """What sums leave out because no sales price is known; sentences as markup."""
    viewer = looking().viewer
    said = []
    for row in ask(figures.unpriced(viewer, selection, is_corrected)):
        lines = wording.counted(int(str(row["line_count"])), "line")
        words = (
            f"{lines} in {row['currency']} not in the amount: no price is known yet."
            if viewer.is_customer
            else f"Sales and margin leave out {lines} that cost {markup.money(row, 'total_cost')}:"
            " no sales price is known."
        )
        said.append(markup.said(escape(words), "warn"))
    return said


def show(
    caption: str,
    query: Query,
    *,
    empty: str,
    totals: Sequence[Row] = (),
    links: Callable[[Row], Mapping[str, str]] = lambda row: {},
    group: Callable[[Row], str] | None = None,
    grouped: Sequence[str] = (),
    bars_on: str | None = None,
    prepare: Callable[[Row], Row] = lambda row: row,
) -> None:
    """A table of an answer, page by page, with its file to download; `empty` if it has no rows.

    `grouped` are columns that the headings of groups say already; the file has them. The rest is
    as in markup.table.
    """
    row_count = count(query)
    if not row_count:
        nothing(empty)
        return
    key = hashlib.sha256(repr((caption, query)).encode()).hexdigest()[:16]
    page_count = -(-row_count // PAGE_ROWS)
    spot = st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        page = 1
        if page_count > 1:
            page = st.pagination(page_count, key=f"page {key}", width=280)
            last = min(page * PAGE_ROWS, row_count)
            st.caption(f"Rows {(page - 1) * PAGE_ROWS + 1:,} to {last:,}", width="content")
        here = looking()
        rows_words = wording.counted(row_count, "row")
        st.download_button(
            f"Download {'all ' if page_count > 1 else ''}{rows_words} (CSV)",
            data=lambda: csv_file(here.data, here.viewer, query),
            file_name=csv_name(here, caption),
            mime="text/csv",
            key=f"file {key}",
            on_click="ignore",
            type="tertiary",
            icon=":material/download:",
        )
    rows = [prepare(row) for row in ask(query, PAGE_ROWS, (page - 1) * PAGE_ROWS)]
    columns = [column for column in query.columns if column.name not in grouped]
    with spot:
        st.html(
            markup.table(
                caption, columns, rows, totals=totals, links=links, group=group, bars_on=bars_on
            )
        )


def csv_name(here: Looking, caption: str) -> str:
    """A name for a file that says what it is about."""
    parts = ["apportion", here.period, here.organization_id or "all", caption.lower()]
    return f"{file_name('-'.join(parts))}.csv"


def csv_file(data: DataFolder, viewer: Viewer, query: Query) -> bytes:
    """All rows of an answer as a CSV file: the columns shown, amounts with every decimal."""
    with tempfile.TemporaryDirectory() as folder, tables(data, viewer) as connection:
        path = Path(folder) / "rows.csv"
        write_csv(
            path,
            [column.title for column in query.export_columns],
            figures.every_row(connection, query),
        )
        return path.read_bytes()
