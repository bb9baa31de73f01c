"""Exports in the app: what each viewer may download, and of which version."""

import io
import json
import zipfile
from pathlib import Path

import filelock
import pytest
from conftest import MadeOnce
from published_company import copied, published_company

from app import written_exports
from app.published import Viewer
from app.written_exports import ExportsRefused, WrittenExports, written
from dagster_project.settings import DataFolder

BROKER = Viewer()


@pytest.fixture(scope="module")
def published(made_once: MadeOnce, tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """A published company with the exports of January for everybody, of February for Evergreen."""
    data = copied(published_company(made_once), tmp_path_factory.mktemp("exports") / "data")
    steps: list[str] = []
    written_exports.write(data, "2026-01", None, steps.append)
    assert steps[0] == "statements ..."
    written_exports.write(data, "2026-02", "evergreen", steps.append)
    return data


def names(exports: WrittenExports | None) -> set[str]:
    """The first part of each file name in the download."""
    assert exports is not None
    with zipfile.ZipFile(io.BytesIO(exports.packed())) as archive:
        assert archive.testzip() is None
        return {name.split("/")[0] for name in archive.namelist()}


def test_the_broker_downloads_what_the_command_writes(published: DataFolder) -> None:
    found = written(published, BROKER, "2026-01", None)
    assert names(found) >= {"statements", "focus", "organizations", "journal-2026-01.csv"}
    assert found is not None
    assert found.folder == published.exports / "2026-01"
    assert found.packed() == found.packed()
    # Exports of one organization are those of nobody else.
    assert written(published, BROKER, "2026-01", "evergreen") is None
    assert written(published, BROKER, "2026-02", None) is None
    assert names(written(published, BROKER, "2026-02", "evergreen")) >= {"journal-2026-02.csv"}


def test_an_organization_downloads_its_own_edition_only(published: DataFolder) -> None:
    evergreen = Viewer("evergreen")
    for period in ("2026-01", "2026-02"):
        found = written(published, evergreen, period, "evergreen")
        assert found is not None
        assert found.folder.parts[-2:] == ("organizations", "evergreen")
        assert not {"journal", "focus"} & {name.split("-")[0] for name in names(found)}
        assert not any("harbor" in path.name for path in found.files)
    # Harbor has no sales, so that there is no edition without cost for it.
    assert written(published, Viewer("harbor"), "2026-01", "harbor") is None
    # The viewer decides, whatever a page asks for.
    assert written(published, evergreen, "2026-01", None) == written(
        published, evergreen, "2026-01", "harbor"
    )
    with pytest.raises(ValueError, match="owners"):
        written(published, Viewer("evergreen", cost_center_ids=("EVG-MKT",)), "2026-01", None)


def test_exports_of_another_version_are_not_shown(published: DataFolder, tmp_path: Path) -> None:
    data = copied(published, tmp_path / "data")
    state = data.exports / "2026-01" / "state.json"
    state.write_text(json.dumps({"state_id": "an earlier one"}))
    assert written(data, BROKER, "2026-01", None) is None
    assert written(data, Viewer("evergreen"), "2026-01", "evergreen") is None
    state.write_text("not JSON")
    assert written(data, BROKER, "2026-01", None) is None


def test_nothing_is_written_while_a_run_writes(published: DataFolder) -> None:
    with (
        filelock.FileLock(published.run_folder / "writer.lock"),
        pytest.raises(ExportsRefused, match="a run or another export is writing"),
    ):
        written_exports.write(published, "2026-01", None, lambda step: None)
