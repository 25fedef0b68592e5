"""The tables of engine/README.md that are written from the code, and from what was measured.

`python -m tests.house.readme_tables` renews them; behind `make bench`, too.
"""

import ast
import re
from pathlib import Path

import engine
from benchmarks.report import COSTS
from engine.events import EVENTS
from tests.house.sources import ROOT

README = ROOT / "engine" / "README.md"
RESULTS = ROOT / "benchmarks" / "RESULTS.md"

WHEN = {
    "start": "in the manager, once every worker is ready for the first time",
    "shutdown": "in the manager, last of all",
    "manager_start": "in the manager, before the first worker",
    "manager_stop": "in the manager, after the last worker",
    "worker_start": "in every worker before it begins; what it raises keeps the worker from starting",
    "worker_exit": "in an event worker that begins to leave: let go what would keep it",
    "worker_stop": "in every worker that leaves in good order, last of all",
    "worker_error": "in the manager, when a worker died that was not asked to",
    "before_reload": "in the manager, when a reload begins",
    "after_reload": "in the manager, when the last worker is replaced",
    "connect": "in an event worker, for a new connection",
    "receive": "in an event worker, for each frame, header included",
    "close": "in an event worker, when a connection has ended, whoever ended it",
    "task": "in a task worker; what it returns is the result, None is none",
    "finish": "in the event worker that asked, with the result",
    "task_error": "in the event worker that asked, with TaskFailed, TaskLost or TaskTimeout",
    "pipe_message": "in any worker, with what another one sent by `send_message`",
}
"""Where and when each event is called."""


def settings_table() -> str:
    """Name, default and meaning of every setting, as engine/settings.py has them."""
    source = (ROOT / "engine" / "settings.py").read_text()
    (settings,) = [
        each for each in ast.parse(source).body if isinstance(each, ast.ClassDef) and each.name == "Settings"
    ]
    rows = []
    for given, told in zip(settings.body, settings.body[1:], strict=False):
        if not isinstance(given, ast.AnnAssign):
            continue
        assert isinstance(told, ast.Expr), f"{ast.unparse(given)} has no docstring"
        meaning = " ".join(str(ast.literal_eval(told.value)).split())
        default = ast.get_source_segment(source, given.value) if given.value else ""
        shown = "" if default.startswith("field(") else f"`{default}`"
        rows.append((f"`{ast.unparse(given.target)}`", shown, plain(meaning)))
    return table(("setting", "default", "meaning"), rows)


def plain(text: str) -> str:
    """The stars of 2**31 would make what follows bold. Between backticks they are safe."""
    return "".join(part if part.startswith("`") else part.replace("*", r"\*") for part in re.split(r"(`[^`]*`)", text))


def events_table() -> str:
    """Every event with its arguments, as engine/events.py has them."""
    return table(("event", "arguments", "called"), [(f"`{name}`", f"`{EVENTS[name]}`", WHEN[name]) for name in EVENTS])


def errors_table() -> str:
    """Every exception that a program may meet, below its base, as engine/errors.py has them."""
    classes = [
        each for each in ast.parse((ROOT / "engine" / "errors.py").read_text()).body if isinstance(each, ast.ClassDef)
    ]
    public = [each for each in classes if each.name in engine.__all__]
    rows = [(f"`{each.name}`", f"`{ast.unparse(each.bases[0])}`", _attributes(each), _said(each)) for each in public]
    return table(("exception", "is a", "has", "means"), rows)


def _attributes(error: ast.ClassDef) -> str:
    made = [each for each in error.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    return " ".join(f"`{each.arg}`" for function in made for each in function.args.args[1:])


def _said(error: ast.ClassDef) -> str:
    return plain(" ".join((ast.get_docstring(error) or "").split()))


def costs_table() -> str:
    """What a task costs, as the benchmark found it last."""
    _, _, behind = RESULTS.read_text().partition(f"## {COSTS}\n")
    section, _, _ = behind.partition("\n## ")
    return "\n".join(line for line in section.splitlines() if line.startswith("|"))


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def renewed(text: str) -> str:
    """The same README with tables as the code has them now. They stand between two comments each."""
    tables = {"settings": settings_table, "events": events_table, "errors": errors_table, "costs": costs_table}
    for name, as_coded in tables.items():
        text = put_between(text, name, as_coded())
    return text


def put_between(text: str, name: str, table: str) -> str:
    """The text with this table between the two comments that name it."""
    between = rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)"
    text, found = re.subn(between, lambda match: f"{match[1]}\n{table}\n\n{match[2]}", text, flags=re.S)
    assert found == 1, f"the place of the table of {name} is not in the page, or twice"
    return text


def code_blocks(path: Path) -> dict[str, str]:
    """The Python programs of a document, by the name in their first line."""
    blocks = re.findall(r"^```python\n(.*?)^```$", path.read_text(), re.S | re.M)
    return {block.split("\n", 1)[0].removeprefix("# "): block for block in blocks}


if __name__ == "__main__":
    README.write_text(renewed(README.read_text()))
