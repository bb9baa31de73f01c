"""The app keeps nothing of one person where another one could get it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from dagster_project.settings import PROJECT_ROOT

MODULES = sorted((PROJECT_ROOT / "app").rglob("*.py"))
KEYS_OF_A_CACHE = {"root", "viewer", "version"}
FILLED = {"append", "add", "update", "setdefault", "pop", "clear", "extend", "insert"}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in MODULES:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef))


def cached(function: ast.FunctionDef) -> bool:
    """Whether one of its decorators keeps results for all sessions."""
    return any("cache" in ast.unparse(each) for each in function.decorator_list)


def test_kept_answers_belong_to_a_data_folder_a_viewer_and_a_version() -> None:
    kept = [
        (path.name, function)
        for path, tree in trees()
        for function in functions(tree)
        if cached(function)
    ]
    assert {function.name for _, function in kept} >= {"_rows", "_count", "_marts"}
    for name, function in kept:
        # Streamlit leaves arguments with an underscore in front out of the key.
        arguments = {each.arg for each in function.args.args}
        assert arguments >= KEYS_OF_A_CACHE, (name, function.name)
        assert not any(each.startswith("_") for each in arguments), (name, function.name)


def test_no_module_keeps_a_value_of_a_session() -> None:
    for path, tree in trees():
        own = {
            target.id
            for each in tree.body
            if isinstance(each, ast.Assign | ast.AnnAssign)
            for target in (each.targets if isinstance(each, ast.Assign) else [each.target])
            if isinstance(target, ast.Name)
        }
        for function in functions(tree):
            local = {each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)} | {
                each.id
                for each in ast.walk(function)
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            }
            for each in ast.walk(function):
                assert not isinstance(each, ast.Global), (path.name, function.name)
                changed = None
                if isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store | ast.Del):
                    changed = each.value
                if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store | ast.Del):
                    changed = each.value
                if isinstance(each, ast.Attribute) and each.attr in FILLED:
                    changed = each.value
                if isinstance(changed, ast.Name):
                    assert changed.id not in own - local, (path.name, function.name, changed.id)
