"""Check a file before it lands: what a run would read from it, every fault, and landing it."""

from pathlib import Path

import streamlit as st

from app import uploads
from app.published import Version, Viewer
from app.run_panel import offer_run
from app.screen import author, explain, heading, page_context, pick, problem
from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.settings import FEEDS, DataFolder

here = page_context()
BY_HEADER = ""


@st.cache_data(max_entries=5, show_spinner="Reading the file ...")
def checked(
    root: str,
    viewer: Viewer,
    version: Version,
    declarations: bytes,
    name: str,
    content: bytes,
    feed: str,
) -> uploads.Checked:
    """The file as a run would read it; read again if apportion.toml changes."""
    return uploads.check(DataFolder(Path(root)), name, content, feed or None)


def declarations() -> bytes:
    """The content of apportion.toml; empty without it."""
    try:
        return here.data.declarations.read_bytes()
    except FileNotFoundError:
        return b""


def offer_landing(found: uploads.Checked, content: bytes) -> None:
    """A button that puts the file into landing."""
    person = author("author of upload")
    is_asked = st.button("Put into landing", disabled=person is None, icon=":material/upload_file:")
    explain(f"Writes landing/{found.place} as it is. The next run reads it.")
    if is_asked:
        assert person is not None
        try:
            place = uploads.land(here.data, person, found, content)
        except ApportionError as error:
            problem(wording.sentence(f"{error}."))
            return
        st.success(f"landing/{place} is written. Its amounts are in the results of the next run.")
    offer_run(person)


heading("Check a file", "What a run would read from a file, before it lands")
feed = pick(
    "Kind of file",
    "feed",
    {BY_HEADER: "As its header says", **{each: each.replace("_", " ") for each in FEEDS}},
    help="The folder of landing that the file is for.",
)
file = st.file_uploader("File")
if file is not None:
    content = file.getvalue()
    try:
        found = checked(
            str(here.data.root),
            here.viewer,
            here.version,
            declarations(),
            file.name,
            content,
            feed,
        )
    except ApportionError as error:
        problem(wording.sentence(f"{error}."))
        st.stop()
    if found.is_usable:
        st.success("A run would use every row.")
    else:
        problem("A run would not use every row: see below what to correct.")
    st.code(found.report, language=None, wrap_lines=True)
    if found.is_usable and found.place is not None and here.viewer.may_run:
        offer_landing(found, content)
