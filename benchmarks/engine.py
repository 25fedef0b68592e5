"""The engine's speed, memory and manners, each beside a floor measured in the same run.

    python benchmarks/engine.py            the short form, some three minutes; writes benchmarks/RESULTS.md
    python benchmarks/engine.py --full     every combination; about half an hour

Floors and measurements take turns in several short rounds, for a machine is seldom quiet: figures are medians over
the rounds, ratios are medians of each round's ratio. Every measurement has a process of its own.
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

sys.path.insert(0, str(Path(__file__).parent.parent))  # before this folder, whose engine.py is not the engine

from benchmarks import compiled, plan, report, results
from benchmarks.measuring import Found, steps
from benchmarks.processes import Unavailable
from engine import IpcMode

RESULTS = Path(__file__).parent / "RESULTS.md"
out = Console(width=None if sys.stdout.isatty() else 130)


def main(
    full: Annotated[bool, typer.Option("--full", help="Every combination; about half an hour.")] = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="A few seconds: it works; its figures say nothing.")] = False,
    mode: Annotated[
        list[int] | None, typer.Option(min=1, max=3, help="Only this task_ipc_mode; may be repeated.")
    ] = None,
    output: Annotated[Path, typer.Option(help="File for the tables.", show_default="benchmarks/RESULTS.md")] = RESULTS,
) -> None:
    """Measure the engine beside its floors, print the tables and write them to a file."""
    if full and smoke:
        raise typer.BadParameter("--full and --smoke exclude each other")
    modes = tuple(map(IpcMode, mode or IpcMode))
    form = (plan.full if full else plan.smoke if smoke else plan.short)(modes)
    with ExitStack() as stack:
        found = Found(compiled=_compiled(stack, form))
        _measure(form, found)
    tables = report.sections(form, found)
    results.show(out, tables)
    results.write(output, report.how(form, found), tables)


def _compiled(stack: ExitStack, form: plan.Form) -> Path | Unavailable:
    """Where the compiled copy is, until the stack is left, or why there is none."""
    if not any(case.is_compiled for case in form.cases):
        return Unavailable("it was not asked for")
    try:
        with out.status("compiling a copy of the engine"):
            return stack.enter_context(compiled.copy())
    except Unavailable as why:
        return why


def _measure(form: plan.Form, found: Found) -> None:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=out, transient=True) as progress:
        to_do = steps(form)
        shown = progress.add_task("", total=len(to_do))
        for step in to_do:
            progress.update(shown, description=str(step))
            found.take(step)
            progress.advance(shown)


if __name__ == "__main__":
    typer.run(main)
