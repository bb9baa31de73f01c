"""The exports of the selected period: what is written, a download, and a button to write them."""

import streamlit as st

from app import markup, written_exports
from app.queries.query import Column
from app.screen import explain, heading, nothing, page_context, problem
from app.written_exports import WrittenExports
from dagster_project import wording
from dagster_project.errors import ApportionError
from dagster_project.files import file_name

here = page_context()

COLUMNS = (
    Column("file", "File or folder"),
    Column("files", "Files", "quantity"),
    Column("size", "Size in kB", "quantity"),
)


def show_files(exports: WrittenExports) -> None:
    """The files, those of a folder as one row, and all of them as one download."""
    counts: dict[str, int] = {}
    sizes: dict[str, int] = {}
    files = exports.files
    for path in files:
        name, *below = path.relative_to(exports.folder).parts
        shown = f"{name}/" if below else name
        counts[shown] = counts.get(shown, 0) + 1
        sizes[shown] = sizes.get(shown, 0) + path.stat().st_size
    rows = [
        {"file": name, "files": count, "size": -(-sizes[name] // 1000)}
        for name, count in counts.items()
    ]
    st.html(markup.table("Exports", COLUMNS, rows))
    st.download_button(
        f"Download {wording.counted(len(files), 'file')} (zip)",
        data=exports.packed,
        file_name=f"apportion-{here.period}-{file_name(here.organization_id or 'all')}.zip",
        mime="application/zip",
        on_click="ignore",
        icon=":material/download:",
    )


def offer_writing() -> None:
    """A button that writes the exports of the selection."""
    is_asked = st.button("Write exports", icon=":material/description:")
    explain(
        "Writes statements, workbook, journal, FOCUS files and customers' editions into"
        f" exports/, as make export PERIOD={here.period} does. Takes a minute or more."
    )
    if not is_asked:
        return
    try:
        with st.status("Writing exports ...") as status:
            written_exports.write(
                here.data,
                here.period,
                here.organization_id,
                progress=lambda step: status.update(label=f"Writing {step}"),
            )
    except ApportionError as error:
        problem(wording.sentence(f"{error}."))
        return
    st.rerun()


heading("Exports", f"Files of {wording.period(here.period)}, {here.owner}")
found = written_exports.written(here.data, here.viewer, here.period, here.organization_id)
if found is not None:
    show_files(found)
elif here.viewer.is_customer:
    nothing("The broker has not exported these results yet. Ask your broker for the files.")
else:
    nothing("Nothing is exported of these results yet.")
if here.viewer.may_run:
    offer_writing()
elif not here.viewer.is_customer and found is None:
    st.caption(f"Write them by make export PERIOD={here.period}, or start the app with EDIT=1.")
