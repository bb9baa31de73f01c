"""Parts that all pages share: sidebar, headings, tables with their downloads, the cache.

Belongs here: Streamlit, and the context of a page. Does not: SQL (queries), markup (markup), the
content of a single page (views/).
"""

import hashlib
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitAuthError

from app import markup
from app.published import (
    UnknownArgument,
    UnknownOrganization,
    Version,
    Viewer,
    columns_by_mart,
    tables,
)
from app.queries import lines, pickers, reporting
from app.queries.query import Column, Query, Row, Selection, every_row, fetch
from app.queries.query import count as count_rows
from app.roles import Roles, read_roles
from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.feeds.declarations import read_locale
from dagster_project.files import file_name, write_csv
from dagster_project.records import LONGEST_NAME, Person, one_line
from dagster_project.settings import DataFolder
from dagster_project.web_server import OWN_HOSTS

APP_FOLDER = Path(__file__).resolve().parent
PAGE_ROWS = 50
PICKER_ROWS = 10_000
ALL = ""


@dataclass(frozen=True)
class PageContext:
    """The viewer, the published version and the selection of the sidebar."""

    data: DataFolder
    viewer: Viewer
    version: Version
    periods: tuple[str, ...]
    """Latest first."""
    period: str
    organizations: Mapping[str, str]
    organization_id: str | None
    person: Person | None = None
    """The person who signed in; None without sign-in."""
    roles: Roles | None = None

    @property
    def selection(self) -> Selection:
        """The billing period and the organization of the sidebar."""
        return Selection(self.period, self.organization_id)

    @property
    def earlier_period(self) -> str | None:
        """The billing period before the selected one."""
        later_to_earlier = self.periods[self.periods.index(self.period) + 1 :]
        return later_to_earlier[0] if later_to_earlier else None

    def need_approval(self, organization_id: str) -> bool:
        """Whether a second person approves the changes of an organization."""
        return self.roles is not None and self.roles.need_approval(organization_id)

    @property
    def owner(self) -> str:
        """The name of the selected organization."""
        if self.organization_id is None:
            return "all organizations"
        return self.organizations[self.organization_id]


# --- answers ---------------------------------------------------------------------------


@st.cache_data(max_entries=500, show_spinner=False)
def _rows(
    root: str, viewer: Viewer, version: Version, query: Query, limit: int, offset: int
) -> list[Row]:
    with tables(DataFolder(Path(root)), viewer) as connection:
        return fetch(connection, query, limit, offset)


@st.cache_data(max_entries=500, show_spinner=False)
def _count(root: str, viewer: Viewer, version: Version, query: Query) -> int:
    with tables(DataFolder(Path(root)), viewer) as connection:
        return count_rows(connection, query)


@st.cache_data(max_entries=20, show_spinner=False)
def _marts(root: str, viewer: Viewer, version: Version) -> dict[str, dict[str, str]]:
    with tables(DataFolder(Path(root)), viewer) as connection:
        return columns_by_mart(connection)


def page_context() -> PageContext:
    """The context of the page that runs now."""
    context: PageContext = st.session_state["page_context"]
    return context


def ask(query: Query, limit: int = PICKER_ROWS, offset: int = 0) -> list[Row]:
    """Rows of an answer; cached until another version is published."""
    here = page_context()
    return _rows(str(here.data.root), here.viewer, here.version, query, limit, offset)


def count(query: Query) -> int:
    """The number of rows of an answer."""
    here = page_context()
    return _count(str(here.data.root), here.viewer, here.version, query)


def columns_of(mart: str) -> Mapping[str, str] | None:
    """The columns of a published mart with their types; None if it is not published."""
    here = page_context()
    return _marts(str(here.data.root), here.viewer, here.version).get(mart)


PERIOD_END = Column("period_end", "Period end", "day")
RATE = Column("exchange_rate", "Exchange rate", "quantity")
RATE_DATE = Column("exchange_rate_date", "Rate date", "day")

# --- the frame -------------------------------------------------------------------------


def open_app() -> None:
    """Draw the frame of the app and run the selected page."""
    st.set_page_config(page_title="Apportion", layout="wide")
    st.html(APP_FOLDER / "style.css")
    data = DataFolder.from_environment()
    try:
        wording.write_in(read_locale(data.declarations))
        viewer, person, roles = _viewer(data)
        version = Version.now(data)
        page = st.navigation(_pages(viewer), expanded=True)
        context = _sidebar(data, viewer, version)
        st.session_state["page_context"] = replace(context, person=person, roles=roles)
    except ApportionError as error:
        problem(str(error))
        st.stop()
    page.run()


def _viewer(data: DataFolder) -> tuple[Viewer, Person | None, Roles | None]:
    """The viewer: by the role of the person who signed in, else by the start of the app.

    Then the person and the roles; None without sign-in.

    Without a role nothing is shown. Raises RolesInvalid, and UnknownArgument if the start of the
    app names a viewer although there are roles.
    """
    started = Viewer.from_start(sys.argv[1:])
    roles = read_roles(data)
    if roles is None and _has_provider():
        # A deleted file must not show everything to everybody.
        problem("Sign-in is set up, but the data folder has no roles.toml: nobody has a role.")
        st.stop()
    if roles is None:
        with st.sidebar:
            st.caption(_access())
        return started, None, None
    if started != Viewer():
        raise UnknownArgument(
            "roles.toml decides who sees what: start the app without --customer, APPORTION_CUSTOMER"
            " and APPORTION_EDIT"
        )
    if not st.user.to_dict().get("is_logged_in"):
        heading("Apportion", "Sign in to see your costs")
        st.button("Sign in", on_click=_sign_in, type="primary")
        st.stop()
    claims = st.user.to_dict()
    found = roles.of(claims)
    with st.sidebar:
        st.caption(f"Signed in as {claims.get('email') or claims.get('name') or claims.get('sub')}")
        st.button("Sign out", on_click=st.logout, type="tertiary")
        if len(found) > 1:
            names = {str(number): role.words for number, role in enumerate(found)}
            chosen = found[int(pick("Role", "role", names, stays=True))]
            return chosen.viewer, roles.person(claims), roles
    if not found:
        problem("You are signed in, and have no role here. Ask the people who run Apportion.")
        st.stop()
    return found[0].viewer, roles.person(claims), roles


def _has_provider() -> bool:
    """Whether an identity provider is configured."""
    return bool(st.secrets.load_if_toml_exists()) and "auth" in st.secrets


def _access() -> str:
    """Who reaches the app while there is no sign-in."""
    address = str(st.get_option("server.address") or "every address of this machine")
    if address in OWN_HOSTS:
        return "No sign-in is set up: the app answers this machine only."
    return f"No sign-in is set up: everyone who reaches {address} sees this."


def _sign_in() -> None:
    """Go to the identity provider, or say that none is set up."""
    try:
        st.login()
    except StreamlitAuthError as error:
        problem(f"Sign-in is not set up: {error}. See docs/sign-in.md.")


def _pages(viewer: Viewer) -> dict[str, list[st.Page]]:
    # Not in a folder called pages: Streamlit would run those without main.py.
    def page(name: str, title: str, is_first: bool = False) -> st.Page:
        return st.Page(f"views/{name}.py", title=title, default=is_first)

    bills = [
        page("this_month", "This month at a glance", is_first=True),
        page("chargeback", "Chargeback"),
        page("by_unit", "By unit"),
        page("what_changed", "What changed"),
        page("trend", "Trend"),
        page("budget", "Budget"),
    ]
    licenses = [
        page("license_pool", "License pool"),
        page("cost_center_history", "Cost center history"),
    ]
    if viewer.may_edit:
        licenses.append(page("change_split", "Change a split"))
        licenses.append(page("cost_centers", "Cost centers"))
    review = [page("findings", "Findings to review")]
    if viewer.cost_center_ids is not None:
        bills.append(page("statements", "Statements"))
        return {"Bills": bills, "Licenses": licenses}
    bills.append(page("exports", "Exports"))
    if not viewer.is_customer:
        review.append(page("reconciliation", "Reconciliation"))
        review.append(page("check_file", "Check a file"))
    return {"Bills": bills, "Review": review, "Licenses": licenses}


def _sidebar(data: DataFolder, viewer: Viewer, version: Version) -> PageContext:
    root = str(data.root)
    statuses = {
        str(row["billing_period"]): str(row["status"])
        for row in _rows(root, viewer, version, pickers.periods(), PICKER_ROWS, 0)
    }
    organizations = {
        str(row["organization_id"]): str(row["organization_name"])
        for row in _rows(root, viewer, version, pickers.organizations(), PICKER_ROWS, 0)
    }
    if viewer.customer_id is not None and viewer.customer_id not in organizations:
        raise UnknownOrganization(
            f"Nothing is published for the organization {viewer.customer_id!r}."
        )
    if not statuses:
        raise ApportionError(
            "No bills yet. Add a file to landing/billing_lines, then run make run."
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
        _offer_new_version(data, version)
    return PageContext(
        data, viewer, version, tuple(statuses), period, organizations, organization_id or None
    )


@st.fragment(run_every="20s")
def _offer_new_version(data: DataFolder, shown: Version) -> None:
    try:
        is_new = Version.now(data) != shown
    except ApportionError:
        is_new = False
    if is_new and st.button("New results are available. Show them", type="primary"):
        st.rerun()


def pick(
    label: str,
    key: str,
    options: Mapping[str, str],
    help: str | None = None,
    *,
    stays: bool = False,
) -> str:
    """A picker whose choice is kept in the address, so that a page can be shared.

    `options` are values with their labels; the first one is the default. A value in the address
    that is not an option changes nothing, which a sentence below the picker says. With `stays` the
    choice is kept while other pages are shown.
    """
    asked = st.query_params.get(key)
    is_new = bool(asked) and asked != st.session_state.get(f"{key} in the address")
    if is_new and asked in options:
        st.session_state[key] = asked
    if st.session_state.get(key) not in options:
        earlier = st.session_state.get(f"{key} chosen") if stays else None
        st.session_state[key] = earlier if earlier in options else next(iter(options))
    chosen = st.selectbox(label, list(options), key=key, format_func=lambda value: options[value])
    explain(help)
    if is_new and asked not in options:
        words = f"{one_line(str(asked), LONGEST_NAME)} is not in the list; showing"
        st.html(markup.notice(escape(f"{words} {options[chosen]}."), "warn"))
    # Streamlit forgets the choice of a widget that a page does not show.
    st.session_state[f"{key} chosen"] = chosen
    remember_in_address(key, chosen)
    return chosen


def explain(words: str | None) -> None:
    """A sentence below a field. Not as Streamlit's `help`, which only a mouse opens."""
    if words:
        st.caption(words)


def remember_in_address(key: str, value: str | None) -> None:
    """Write a choice to the address, or remove it."""
    if value:
        st.query_params[key] = value
    elif key in st.query_params:
        del st.query_params[key]
    st.session_state[f"{key} in the address"] = value


# --- parts of pages --------------------------------------------------------------------


def heading(title: str, under: str = "") -> None:
    """The heading of a page, and a line below it."""
    below = f'<p class="under">{escape(under)}</p>' if under else ""
    st.html(f'<h1 class="page">{escape(title)}</h1>{below}')


def problem(words: str) -> None:
    """A message about an error that prevents the page from showing data."""
    st.html(markup.notice(escape(words), "bad"))


def nothing(words: str) -> None:
    """A message that there is nothing to show, and what to do."""
    st.html(markup.notice(escape(words), "neutral"))


def author(key: str) -> Person | None:
    """The person who edits: who signed in, else by a name to type; None until it is typed."""
    here = page_context()
    if here.person is not None:
        return here.person
    # Streamlit forgets a field that a page does not show.
    typed = st.text_input(
        "Your name",
        value=st.session_state.get("typed name", ""),
        key=key,
        max_chars=LONGEST_NAME,
    )
    explain("Recorded with the change. With sign-in, it is the name of the person who signed in.")
    st.session_state["typed name"] = typed
    name = one_line(typed, LONGEST_NAME)
    return Person(name) if name else None


def unpriced_notices(selection: Selection, is_corrected: bool = False) -> list[str]:
    """Notices about lines that sums exclude because they have no sales price."""
    viewer = page_context().viewer
    notices = []
    for row in ask(lines.unpriced(viewer, selection, is_corrected)):
        counted = wording.counted(int(str(row["line_count"])), "line")
        words = (
            f"The amount excludes {counted} in {row['currency']} without a price."
            if viewer.is_customer
            else f"Sales and margin exclude {counted} without a sales price"
            f" (cost {markup.money(row, 'total_cost')})."
        )
        notices.append(markup.notice(escape(words), "warn"))
    return notices


def converted_total(selection: Selection) -> str:
    """The charged total in the reporting currency with its rates, as markup.

    With an unknown rate, the reason why there is no total. Empty without a reporting currency, or
    if nothing is converted.
    """
    if columns_of(reporting.MART) is None:
        return ""
    rates = ask(reporting.rates(selection))
    if not rates:
        return ""
    (total,) = ask(reporting.total(selection))
    if total["unknown_count"]:
        unknown = ", ".join(str(rate["currency"]) for rate in rates if not rate["exchange_rate"])
        words = (
            f"No total in {total['currency']}: no exchange rate of"
            f" {markup.value(total, PERIOD_END)} or before is known from {unknown}."
        )
        return markup.notice(escape(words), "warn")
    sentences = [
        f"In {total['currency']} at the rates of {markup.value(total, PERIOD_END)}:"
        f" {markup.money(total, 'charged_amount')} charged."
    ]
    sentences += [
        f"{markup.money(rate, 'charged_amount')} at {markup.value(rate, RATE)}"
        f" {total['currency']}, the rate of {markup.value(rate, RATE_DATE)}."
        for rate in rates
    ]
    return markup.notice(escape(" ".join(sentences)))


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
    """A table of an answer with pages and a download; the text `empty` if it has no rows.

    `grouped` are columns that only the group headings and the downloaded file show. The other
    arguments are those of markup.table.
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
            st.caption(
                f"Rows {wording.number((page - 1) * PAGE_ROWS + 1)} to {wording.number(last)}",
                width="content",
            )
        here = page_context()
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


def csv_name(here: PageContext, caption: str) -> str:
    """The name of a downloaded file: period, organization and caption."""
    parts = ["apportion", here.period, here.organization_id or "all", caption.lower()]
    return f"{file_name('-'.join(parts))}.csv"


def csv_file(data: DataFolder, viewer: Viewer, query: Query) -> bytes:
    """All rows of an answer as a CSV file: the columns shown, amounts with all decimals."""
    with tempfile.TemporaryDirectory() as folder, tables(data, viewer) as connection:
        path = Path(folder) / "rows.csv"
        write_csv(
            path,
            [column.title for column in query.export_columns],
            every_row(connection, query),
        )
        return path.read_bytes()
