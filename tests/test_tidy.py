"""House rules that a machine can check: length, names, words, and nothing of one machine."""

import ast
import re
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
BODY_LINES_MAX = 60
MODULE_LINES_MAX = 400
FORBIDDEN_MODULES = {"utils", "helpers", "common", "misc"}
# The floor of the house serves any market: it knows accounts, units and integers.
NOT_IN_THE_LEDGER = re.compile(
    r"kwh|_wh\b|\bwh\b|energy|electric|\bmeter(s|ed|ing)?\b|tariff|solar|household"
    r"|dataset|data product|auction|\bgrid\b|marketplace|analytics",
    re.IGNORECASE,
)
# An "except" that names the error of others is no unfinished work.
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
# Written apart, so that this file does not find itself.
OF_ONE_MACHINE = re.compile(
    "|".join(("/ro" + "ot/", "/wo" + "rk/", "/ho" + "me/[a-z]", "/Us" + "ers/"))
)


def test_function_bodies_are_short() -> None:
    found = [
        f"{file}:{node.lineno} {node.name} has {length} lines"
        for file in python_files()
        for node in ast.walk(ast.parse(read(file)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := body_length(node)) > BODY_LINES_MAX
    ]

    assert found == []


def test_modules_are_short() -> None:
    found = [
        f"{file} has {length} lines"
        for file in python_files()
        if (length := len(read(file).splitlines())) > MODULE_LINES_MAX
    ]

    assert found == []


def test_a_module_is_named_by_its_noun() -> None:
    assert [file for file in python_files() if Path(file).stem in FORBIDDEN_MODULES] == []


def test_the_ledger_knows_no_word_of_energy_or_data() -> None:
    files = [f for f in python_files() if is_in(f, "ledger")]

    assert found_lines(NOT_IN_THE_LEDGER, [*files, "docs/ledger.md"]) == []


def test_nothing_is_left_unfinished() -> None:
    assert found_lines(UNFINISHED, [f for f in python_files() if not is_in(f, "tests")]) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    names = (".py", ".md", ".toml", ".html", ".json", ".css", ".csv", "dev", "run")

    assert found_lines(OF_ONE_MACHINE, [f for f in tracked_files() if f.endswith(names)]) == []


def test_a_silenced_check_says_why() -> None:
    silenced = re.compile(
        r"#\s*noqa(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?\s*$|#\s*type:\s*ignore(\[[a-z, -]+\])?\s*$"
    )
    files = [f for f in python_files() if f != "tests/test_tidy.py"]

    assert found_lines(silenced, files) == []


def body_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines from the first statement after the docstring to the end."""
    statements = node.body[1:] if ast.get_docstring(node, clean=False) else node.body
    if not statements:
        return 0
    return (node.end_lineno or 0) - statements[0].lineno + 1


def found_lines(pattern: re.Pattern[str], files: list[str]) -> list[str]:
    return [
        f"{file}:{number}: {line.strip()[:100]}"
        for file in files
        for number, line in enumerate(read(file).splitlines(), start=1)
        if pattern.search(line)
    ]


def is_in(file: str, folder: str) -> bool:
    return file.startswith(f"{folder}/")


def python_files() -> list[str]:
    files = [f for f in tracked_files() if f.endswith(".py") or f == "dev"]
    return [f for f in files if "/migrations/" not in f]


def tracked_files() -> list[str]:
    """Return what git knows and would add: a fresh file counts before its first commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return [line for line in listing.stdout.splitlines() if (PROJECT / line).is_file()]


def read(file: str) -> str:
    return (PROJECT / file).read_text(encoding="utf-8")
