"""What a reader of any file may rely on."""

import ast
import io
import re
import tokenize

import pytest

from tests.house.sources import Source, names_used, sources

MOST_LINES = 400
by_path = pytest.mark.parametrize("source", sources(), ids=lambda source: source.path)


def of(*rooms: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("source", sources(*rooms), ids=lambda source: source.path)


def uses(source: Source, *forbidden: str) -> set[str]:
    """Which of these names a file uses, or anything inside them."""
    return {name for name in names_used(source) if any(f"{name}.".startswith(f"{each}.") for each in forbidden)}


@by_path
def test_a_file_says_in_its_first_line_what_it_is_for(source: Source) -> None:
    first = source.text.splitlines()[:1]

    assert ast.get_docstring(source.tree), f"{source.path} has no docstring"
    assert first[0].startswith(('"""', 'r"""')), f"{source.path} begins with {first[0]!r}"


@by_path
def test_a_file_is_short_enough_to_be_read(source: Source) -> None:
    assert len(source.text.splitlines()) <= MOST_LINES


@of("engine", "app", "seed", "migrations", "examples")
def test_only_the_apps_config_reads_the_environment(source: Source) -> None:
    if source.path == "app/config.py":
        return

    assert uses(source, "os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "dotenv") == set()


@of("engine", "app")
def test_only_one_file_starts_processes(source: Source) -> None:
    if source.path == "engine/process/child.py":
        return
    starters = ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "popen", "spawnv", "spawnl")

    found = uses(source, *(f"os.{name}" for name in starters), "multiprocessing", "subprocess", "pty")

    assert found | uses(source, "concurrent.futures.ProcessPoolExecutor", "asyncio.create_subprocess_exec") == set()


@of("engine", "app", "seed", "migrations")
def test_nothing_is_printed_past_the_log_and_the_console(source: Source) -> None:
    printed = [
        node.lineno
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert printed == []


@by_path
def test_no_error_is_caught_and_forgotten(source: Source) -> None:
    """`except: pass`, for any error that may be anything; a named one may be expected, with a comment."""
    forgotten = [
        node.lineno
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
        and all(isinstance(each, ast.Pass) or _is_ellipsis(each) for each in node.body)
    ]

    assert forgotten == []


def _is_ellipsis(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


@by_path
def test_a_todo_has_an_issue(source: Source) -> None:
    comments = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline)
        if token.type == tokenize.COMMENT
    ]

    loose = [each for each in comments if re.search(r"\b(TODO|FIXME|XXX)\b", each) and not re.search(r"#\d+", each[1:])]

    assert loose == []


@of("engine", "app", "seed", "migrations")
def test_a_file_that_logs_has_its_own_logger(source: Source) -> None:
    found = uses(source, "logging.info", "logging.warning", "logging.error", "logging.debug", "logging.exception")

    assert found == set()


@of("engine")
def test_the_engines_lines_have_their_facts_in_the_text(source: Source) -> None:
    if source.path == "engine/log_lines.py":
        return

    assert uses(source, "logging.getLogger") == set(), "use engine.log_lines.get_logger"


# ── the rules themselves ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os\nos.environ['X']", {"os.environ"}),
        ("from os import environ as e\ne['X']", {"os.environ"}),
        ("import os as system\nsystem.environ.get('X')", {"os.environ", "os.environ.get"}),
        ("import os\nos.path.join('environ')", set()),
        ("environ = 1\nprint(environ)", set()),
    ],
)
def test_the_environment_is_found_however_it_is_imported(code: str, expected: set[str]) -> None:
    assert uses(Source("x.py", code, ast.parse(code)), "os.environ") == expected


def test_there_are_files_to_look_at() -> None:
    assert len(sources("engine")) > 20
