"""Tests that the import contracts hold, and that each of them can fail."""

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("config", "orders_read", "orders_write", "outbox")
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
CONTRACTS = {
    contract["id"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
# A line, put into a module, that the contract must refuse.
MUTANTS = [
    ("layers", "outbox/messages.py", "import orders_write.events"),
    ("layers", "outbox/append.py", "import orders_read"),
    ("layers", "orders_write/events.py", "import orders_read.queries"),
    ("layers", "orders_read/queries.py", "import config.settings"),
    ("events-only", "orders_read/queries.py", "import orders_write.models"),
    ("events-only", "orders_read/queries.py", "import orders_write.handlers"),
    ("plain-domain", "orders_write/commands.py", "import django.db"),
    ("plain-domain", "orders_write/events.py", "import psycopg"),
    ("plain-domain", "orders_write/exceptions.py", "import rest_framework"),
    ("plain-domain", "orders_write/domain/__init__.py", "import redis"),
    ("reads-do-not-write", "orders_read/queries.py", "import orders_read.projections"),
    ("reads-do-not-write", "orders_read/api.py", "import orders_read.projections"),
    ("reads-do-not-write", "orders_read/queries.py", "import orders_read.mirrors.publisher"),
    ("stores-apart", "orders_read/stores/redis.py", "import orders_read.stores.postgres"),
    ("stores-apart", "orders_read/stores/postgres.py", "import orders_read.stores.redis"),
    ("drivers-in-adapters", "orders_read/mirrors/publisher.py", "import redis"),
    ("drivers-in-adapters", "orders_read/stores/choice.py", "import redis"),
    ("one-appender", "orders_write/handlers.py", "import outbox.append"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Copy the packages to where a test may change them."""
    folder = tmp_path_factory.mktemp("copy")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint_imports(folder, *options):
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache", *options], cwd=folder, capture_output=True, text=True, check=False
    )


def test_every_contract_holds(copy):
    outcome = lint_imports(copy)

    assert outcome.returncode == 0, outcome.stdout


def test_every_contract_has_a_mutant():
    assert {contract for contract, _, _ in MUTANTS} == CONTRACTS


@pytest.mark.parametrize(("contract", "module", "line"), MUTANTS)
def test_a_forbidden_import_breaks_its_contract(copy, contract, module, line):
    path = copy / module
    original = path.read_text()
    path.write_text(f"{original}\n{line}\n")
    try:
        outcome = lint_imports(copy, "--contract", contract)
    finally:
        path.write_text(original)

    assert "1 broken" in outcome.stdout, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_inside_an_app_are_relative(package):
    # Commands and migrations lie deep and are loaded by name: there the absolute name reads better.
    absolute = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if not {"management", "migrations"} & set(path.parts)
        and isinstance(node, ast.ImportFrom)
        and node.level == 0
        and (node.module or "").split(".")[0] == package
    ]

    assert absolute == []
