"""What a reader of any file may rely on."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterable

import pytest

from tests.house.sources import ROOMS, ROOT, Source, names_used, sources

MOST_LINES = 400
STARTERS = ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "popen", "spawnv", "spawnl")
ENVIRONMENT = ("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "dotenv")


def uses(source: Source, *forbidden: str) -> set[str]:
    """Which of these names a file uses, or anything inside them."""
    return {name for name in names_used(source) if any(f"{name}.".startswith(f"{each}.") for each in forbidden)}


def users(rooms: tuple[str, ...], forbidden: Iterable[str], *, but: str = "") -> list[str]:
    """Files of these rooms that use any of these names, with the names; all `but` this one are looked at."""
    found = {source.path: uses(source, *forbidden) for source in sources(*rooms) if source.path != but}
    return [f"{path} uses {', '.join(sorted(names))}" for path, names in found.items() if names]


def breakers(rule: Callable[[Source], Iterable[int]], *rooms: str) -> list[str]:
    """Places in these rooms, or in all, that break a rule, which says in what lines a file does."""
    return [f"{source.path}:{line}" for source in sources(*rooms) for line in rule(source)]


def test_a_file_says_in_its_first_line_what_it_is_for() -> None:
    def rule(source: Source) -> list[int]:
        tells = ast.get_docstring(source.tree) and source.text.startswith(('"""', 'r"""'))
        return [] if tells else [1]

    assert breakers(rule) == []


def test_a_file_is_short_enough_to_be_read() -> None:
    def rule(source: Source) -> list[int]:
        return [count] if (count := len(source.text.splitlines())) > MOST_LINES else []

    assert breakers(rule) == []


def test_only_the_apps_config_reads_the_environment() -> None:
    rooms = ("engine", "app", "seed", "migrations", "examples")

    assert users(rooms, ENVIRONMENT, but="app/config.py") == []


def test_only_one_file_starts_processes() -> None:
    starters = [*(f"os.{name}" for name in STARTERS), "multiprocessing", "subprocess", "pty"]
    starters += ["concurrent.futures.ProcessPoolExecutor", "asyncio.create_subprocess_exec"]

    assert users(("engine", "app"), starters, but="engine/process/child.py") == []


def test_nothing_is_printed_past_the_log_and_the_console() -> None:
    def rule(source: Source) -> list[int]:
        return [
            node.lineno
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]

    assert breakers(rule, "engine", "app", "seed", "migrations") == []


def test_no_error_is_caught_and_forgotten() -> None:
    """`except: pass`, for any error that may be anything; a named one may be expected, with a comment."""

    def rule(source: Source) -> list[int]:
        return [
            node.lineno
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ExceptHandler)
            and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in WHATEVER))
            and all(isinstance(each, ast.Pass) or _is_ellipsis(each) for each in node.body)
        ]

    assert breakers(rule) == []


WHATEVER = ("Exception", "BaseException")


def _is_ellipsis(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


def test_a_todo_has_an_issue() -> None:
    def rule(source: Source) -> list[int]:
        return [
            token.start[0]
            for token in tokenize.generate_tokens(io.StringIO(source.text).readline)
            if token.type == tokenize.COMMENT
            and re.search(r"\b(TODO|FIXME|XXX)\b", token.string)
            and not re.search(r"#\d+", token.string[1:])
        ]

    assert breakers(rule) == []


def test_a_file_that_logs_has_its_own_logger() -> None:
    levels = [f"logging.{name}" for name in ("info", "warning", "error", "debug", "exception")]

    assert users(("engine", "app", "seed", "migrations"), levels) == []


def test_the_engines_lines_have_their_facts_in_the_text() -> None:
    """Loggers come from `engine.log_lines.get_logger`."""
    assert users(("engine",), ["logging.getLogger"], but="engine/log_lines.py") == []


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
    ids=["whole", "renamed", "in a renamed module", "another of its names", "a name of ours"],
)
def test_the_environment_is_found_however_it_is_imported(code: str, expected: set[str]) -> None:
    assert uses(Source("x.py", code, ast.parse(code)), "os.environ") == expected


def test_a_rule_that_is_broken_names_file_and_line(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source("x.py", "import os\n\nos.fork()", ast.parse("import os\n\nos.fork()"))
    monkeypatch.setitem(globals(), "sources", lambda *_: [source])

    assert breakers(lambda source: [len(source.text.splitlines())]) == ["x.py:3"]
    assert users(("engine",), ["os.fork", "pty"]) == ["x.py uses os.fork"]
    assert users(("engine",), ["os.fork"], but="x.py") == []


def test_there_are_files_to_look_at() -> None:
    assert len(sources("engine")) > 20
    assert all(sources(room) for room in ROOMS)


def test_a_word_in_the_readme_does_not_have_the_image_built_anew() -> None:
    """Its layers with the dependencies and the compiled engine take two minutes, and are kept while nothing of what
    they are made from changes."""
    seen = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"]

    assert "engine" in seen
    assert "README.md" not in seen
