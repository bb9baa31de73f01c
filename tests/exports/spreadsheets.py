"""Helpers for tests of workbooks and PDFs: marts to modify, the parts of a file, LibreOffice."""

import io
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import duckdb
import openpyxl
import pypdf
import pytest
from openpyxl.workbook import Workbook

SOFFICE = shutil.which("soffice")

needs_libreoffice = pytest.mark.skipif(
    SOFFICE is None,
    reason="LibreOffice is not installed (Debian: libreoffice-calc): no formula was calculated",
)

ALWAYS_CALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop>
</item>
</oor:items>
"""


def copied_marts(database: Path) -> duckdb.DuckDBPyConnection:
    """The published tables in memory, for a test to change."""
    connection = duckdb.connect()
    connection.execute(f"attach '{database}' as source (read_only)")
    for (name,) in connection.execute(
        "select table_name from duckdb_tables() where database_name = 'source'"
    ).fetchall():
        connection.execute(f"create table {name} as from source.marts.{name}")
    connection.execute("detach source")
    return connection


def parts(path: Path) -> dict[str, bytes]:
    """The parts of a workbook by name; fails on a repeated part."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert len(names) == len(set(names))
        return {name: archive.read(name) for name in names}


def check_package(path: Path) -> None:
    """Every part is well-formed, has a content type, and every relationship leads to a part."""
    contents = parts(path)
    elements = {name: ET.fromstring(content) for name, content in contents.items()}
    types = elements["[Content_Types].xml"]
    overrides = {each.get("PartName") for each in types if each.tag.endswith("Override")}
    defaults = {each.get("Extension") for each in types if each.tag.endswith("Default")}
    assert overrides <= {f"/{name}" for name in contents}
    for name in contents:
        assert f"/{name}" in overrides or name.endswith(".rels") or name == "[Content_Types].xml", (
            f"{name} has no content type of its own"
        )
        assert name.rsplit(".")[-1] in defaults
    for name in contents:
        if not name.endswith(".rels"):
            continue
        folder = Path(name).parent.parent
        for relationship in elements[name]:
            target = relationship.attrib["Target"]
            path_in_package = Path(target[1:]) if target.startswith("/") else folder / target
            resolved = Path("/", path_in_package).resolve().relative_to("/")
            assert str(resolved) in contents, (name, target)


def calculated(path: Path, folder: Path) -> Workbook:
    """The workbook as LibreOffice calculates it; the results in the file are spoiled first."""
    assert SOFFICE
    spoiled = folder / "spoiled.xlsx"
    with zipfile.ZipFile(spoiled, "w") as archive:
        for name, content in parts(path).items():
            if name.startswith("xl/worksheets/sheet"):
                content = re.sub(
                    rb'(<c [^>]*?)(?: t="str")?(><f>[^<]*</f>)<v>[^<]*</v>',
                    rb"\1\2<v>999</v>",
                    content,
                )
            archive.writestr(name, content)
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(ALWAYS_CALCULATE)
    subprocess.run(
        [
            SOFFICE,
            f"-env:UserInstallation={profile.as_uri()}",
            "--headless",
            "--convert-to",
            "xlsx",
            "--outdir",
            str(folder / "calculated"),
            str(spoiled),
        ],
        check=True,
        capture_output=True,
        timeout=900,
    )
    return openpyxl.load_workbook(folder / "calculated" / "spoiled.xlsx", data_only=True)


def pdf_text(content: bytes) -> str:
    """The text of a PDF, with single spaces."""
    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())
