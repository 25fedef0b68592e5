"""What documents tell people to type: each command in them, and whether there is such a one."""

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from itertools import pairwise, takewhile
from typing import Any

import typer

from app.cli.main import COMMANDS
from app.cli.main import cli as app
from migrations.__main__ import cli as migrations
from seed.__main__ import cli as seed
from tests.house.documents import blocks, spans
from tests.house.sources import ROOT

OURS = {"app": app, "migrations": migrations, "seed": seed}
"""Modules whose options are known to Typer."""

FOREIGN = {"pytest", "pip", "venv"}
"""Modules that are somebody else's."""

_BEGINS = re.compile(r"^((\.venv/bin/)?python |make [a-z]|docker compose |pip )")
_PROMPT = re.compile(r"^[\w-]*\$ ", re.M)
_ASSIGNMENT = re.compile(r"^[A-Za-z_]+=")
_OPERATOR = re.compile(r"^[();<>|&]+$")


def typed(text: str) -> Iterator[str]:
    """Every line of a shell in a document, and every command between backticks in its prose."""
    for block in blocks(text, "sh", "bash"):
        yield from block.replace("\\\n", " ").splitlines()
    for block in blocks(text, "console", "text"):
        yield from (line[found.end() :] for line in block.splitlines() if (found := _PROMPT.match(line)))
    for span in spans(text):
        first, _, rest = span.partition(" ")
        if _BEGINS.match(span):
            yield span
        elif first in COMMANDS and re.match(r"[\w-]", rest):
            yield f"python -m app {span}"


def faults(line: str) -> list[str]:
    """What of this line there is not, a sentence each."""
    return [fault for words in _simple_commands(line) for fault in _faults(words)]


def options_of(command: str) -> set[str]:
    """All that `python -m app retry` and the like know, with those of the commands below it."""
    module, *words = command.split()[2:]
    return set(_options(_descend(typer.main.get_command(OURS[module]), words)))


def _options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
        yield from _options(command.get_command(None, name))


def _descend(command: Any, words: list[str]) -> Any:
    for word in words:
        if not hasattr(command, "get_command") or not (below := command.get_command(None, word)):
            return command
        command = below
    return command


def _simple_commands(line: str) -> Iterator[list[str]]:
    """The words of each command in a line, without variables before it and what a container is asked to run it by."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    rest = list(words)
    while rest:
        one = list(takewhile(lambda word: not _OPERATOR.match(word), rest))
        rest = rest[len(one) + 1 :]
        while one and _ASSIGNMENT.match(one[0]):
            one = one[1:]
        if one:
            yield one


def _faults(words: list[str]) -> Iterator[str]:
    program = words[0].removeprefix(".venv/bin/")
    if check := _PROGRAMS.get(program):
        yield from check(words[1:])


def _python(words: list[str]) -> Iterator[str]:
    if words[:1] == ["-m"]:
        module, arguments = words[1], words[2:]
        if module in OURS:
            yield from _ours(f"python -m {module}", typer.main.get_command(OURS[module]), arguments)
            return
        if module in FOREIGN:
            return
        names = [f"{module.replace('.', '/')}{end}" for end in (".py", "/__main__.py")]
    else:
        names, arguments = words[:1], words[1:]
    files = [ROOT / name for name in names if (ROOT / name).is_file()]
    if not files:
        yield f"there is no {names[0]}"
        return
    source = files[0].read_text()
    for option in (word.partition("=")[0] for word in arguments if word.startswith("--")):
        if option not in source and option != "--help" and f"{option[2:].replace('-', '_')}:" not in source:
            yield f"{names[0]} knows no {option}"


def _ours(called: str, command: Any, arguments: list[str]) -> Iterator[str]:
    context = command.context_class(command, info_name=called)
    if arguments and arguments[-1] in _options(command):
        arguments = [*arguments, "VALUE"]  # prose may name an option without one; a flag takes none, and leaves it
    try:
        values, rest, _ = command.make_parser(context).parse_args(list(arguments))
    except Exception as error:  # whatever the parser has against it; its classes are Typer's own
        yield f"{called}: {getattr(error, 'message', error)}"
        return
    for parameter in command.params:
        for value in _words(values.get(parameter.name)):
            choices = _choices(parameter)
            if choices and not value.isupper() and value not in choices:
                yield f"{called} has no {value}, but {', '.join(choices)}"
    rest = [each for each in rest if each != "VALUE"]
    if not rest:
        return
    if not hasattr(command, "get_command"):
        yield f"{called} takes no {rest[0]}"
    elif below := command.get_command(context, rest[0]):
        yield from _ours(f"{called} {rest[0]}", below, rest[1:])
    else:
        yield f"{called} has no command {rest[0]}"


def _choices(parameter: Any) -> list[str]:
    """Of one that takes one of a few words; a newer Typer keeps them elsewhere."""
    described = getattr(parameter, "type_descriptor", None) or getattr(parameter, "type", None)
    return [str(each) for each in getattr(described, "choices", None) or ()]


def _words(value: Any) -> list[str]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]


def _make(words: list[str]) -> Iterator[str]:
    makefile = (ROOT / "Makefile").read_text()
    for word in words:
        name, is_variable, _ = word.partition("=")
        if is_variable and not re.search(rf"\$\({name}\)|^{name} \?=", makefile, re.M):
            yield f"make reads no {name}"
        if not is_variable and not re.search(rf"^{re.escape(name)}:", makefile, re.M):
            yield f"there is no make {name}"


def _docker(words: list[str]) -> Iterator[str]:
    if words[:1] != ["compose"]:
        return
    compose = (ROOT / "docker-compose.yml").read_text()
    services = re.findall(r"^  ([\w-]+):$", compose.partition("\nservices:\n")[2], re.M)
    profiles = re.findall(r"^    profiles: \[(\w+)\]$", compose, re.M)
    for option, value in pairwise(words):
        if option == "--profile" and value not in profiles:
            yield f"docker compose has no profile {value}"
        if option in ("exec", "restart", "logs") and value not in services:
            yield f"docker compose has no service {value}"
    if "exec" in words[:-2]:
        yield from _faults(words[words.index("exec") + 2 :])


def _pip(words: list[str]) -> Iterator[str]:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for named in re.findall(r"\[([\w,-]+)\]", " ".join(words)):
        yield from (f"there is no extra {each}" for each in named.split(",") if each not in extras)


_PROGRAMS: dict[str, Callable[[list[str]], Iterator[str]]] = {
    "python": _python,
    "make": _make,
    "docker": _docker,
    "pip": _pip,
}
