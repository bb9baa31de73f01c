"""The part of a page that asks for a run and shows how far it is.

Belongs here: Streamlit. Does not: the process of the run (asked_run).
"""

from html import escape

import streamlit as st

from app import asked_run, markup
from app.asked_run import AskedRun
from app.published import Version
from app.screen import explain, page_context, problem
from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.feeds.declarations import read_locale
from dagster_project.records import Person

SECONDS_BETWEEN_LOOKS = 2


def offer_run(person: Person | None) -> None:
    """Show the last run that somebody asked for, and a button to ask for one.

    Without a role that may ask, a sentence says who applies what was saved.
    """
    here = page_context()
    if not here.viewer.may_run:
        st.caption("The broker's next run applies what is saved.")
        return
    run = asked_run.latest(here.data)
    is_running = run is not None and run.state == "running"
    every = SECONDS_BETWEEN_LOOKS if is_running else None
    st.fragment(_panel, run_every=every)(person, is_running)


def _panel(person: Person | None, was_running: bool) -> None:
    here = page_context()
    # A part of a page is drawn again in a thread of its own.
    wording.write_in(read_locale(here.data.declarations))
    run = asked_run.latest(here.data)
    is_running = run is not None and run.state == "running"
    if was_running and not is_running:
        # The page is drawn again, with its new results.
        st.rerun()
    if run is not None:
        _show(run, here.version)
    if is_running:
        return
    is_asked = st.button("Run now", disabled=person is None, icon=":material/play_arrow:")
    explain("Reads landing and publishes new results for everybody; a minute or more.")
    if is_asked:
        assert person is not None
        try:
            asked_run.ask(here.data, person)
        except ApportionError as error:
            problem(wording.sentence(f"{error}."))
            return
        st.rerun()


def _show(run: AskedRun, shown: Version) -> None:
    """How far a run is, or how it ended, with its output."""
    who = f"asked for by {run.by} on {wording.instant(run.at)} UTC"
    match run.state:
        case "running":
            st.html(
                f'<div role="status">{markup.notice(escape(f"A run is in progress, {who}."))}</div>'
            )
            st.progress(run.part_done or 0.0, text=_plain(run.step or "Starting ..."))
        case "succeeded":
            st.html(markup.notice(escape(f"The run, {who}, succeeded."), "good"))
        case "failed":
            words = f"The run, {who}, failed. Results are as before: see its output."
            st.html(markup.notice(escape(words), "bad"))
        case "interrupted":
            words = f"The run, {who}, was interrupted. Results are as before: ask again."
            st.html(markup.notice(escape(words), "bad"))
    with st.expander("Output of the run", expanded=run.state == "failed"):
        st.code("\n".join(run.lines) or "No output yet.", language=None)


def _plain(line: str) -> str:
    """A line of the output without its columns, and without what Markdown would read."""
    words = " ".join(line.split())
    return "".join(f"\\{each}" if each in "\\`*_[]<>$:#~|" else each for each in words)
