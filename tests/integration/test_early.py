"""Ctrl-C in the first moment of a command, while it loads."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("loading", ["typer", "sqlalchemy.engine"])
@pytest.mark.parametrize("program", ["app", "seed", "migrations"])
def test_a_command_that_is_interrupted_while_it_loads_ends_without_a_traceback(program, loading, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", program, "status"],  # tells of each module as soon as it is loaded
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'sms.db'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.rpartition("|")[2].strip().startswith(loading):
            process.send_signal(signal.SIGINT)
            break
    rest = process.communicate(timeout=30)[1]

    assert process.returncode == 130
    assert "Traceback" not in rest


def test_a_package_that_others_import_leaves_their_ctrl_c_alone():
    code = "import signal, app, seed, migrations; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "True\n"
