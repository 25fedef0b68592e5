"""The command line: which commands there are. What one needs is loaded when it is called, and not before."""

import gc
from importlib import import_module
from keyword import iskeyword
from typing import Any

import typer
from typer.core import TyperGroup

from app import console

COMMANDS = {
    "serve": "serve",
    "web": "web",
    "trigger": "trigger",
    "watch": "trigger",
    "preview": "preview",
    "test": "to_own_numbers",
    "import": "import_people",
    "status": "status",
    "logs": "logs",
    "report": "report",
    "ledger": "ledger",
    "pause": "control",
    "resume": "control",
    "cancel": "control",
    "retry": "retry",
    "find": "find",
    "opt-outs": "opt_outs",
    "gateways": "gateways",
    "hosts": "hosts",
    "prune": "prune",
    "audit": "trail",
    "doctor": "doctor",
    "token": "token",
    "tokens": "tokens",
    "users": "users",
}
"""Each with its module in this folder, where a function has its name. `--help` keeps this order."""


class Commands(TyperGroup):
    """A group whose commands are made of functions when somebody asks for them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        one = console.commands()
        gc.disable()  # modules stay: to look through them for garbage is an eighth of the time that `status` takes
        try:
            module = import_module(f"app.cli.{COMMANDS[cmd_name]}")
        finally:
            gc.enable()
        function = COMMANDS[cmd_name] if iskeyword(cmd_name) else cmd_name.replace("-", "_")
        one.command(cmd_name)(getattr(module, function))
        return typer.main.get_command(one)


cli = console.commands("Greet every customer in the database by SMS, exactly once.", cls=Commands)


@cli.callback()
def _commands() -> None:
    """Called before each command; that it is there makes a group of them."""
