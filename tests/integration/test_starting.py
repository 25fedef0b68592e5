"""A program that the warm parent forks is what a shell would start, for all that a test can see of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests import starting
from tests.starting import ROOT, Parent, Request
from tests.waiting import until

ALIKE = [
    "import os, sys; print(sys.argv, __name__, os.getcwd(), os.environ['MARK'], sys.stdin.read())",
    "import os, time; print(time.strftime('%H:%M %Z', time.localtime(0)), sorted(os.environ))",
    "import sys; print([(each.encoding, each.errors, each.line_buffering, each.seekable()) for each in"
    " (sys.stdin, sys.stdout, sys.stderr)])",
    "import signal; print([signal.getsignal(each) for each in (signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE)])",
    "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:3], os.getpgid(0) == os.getpid())",
    "import atexit, sys; atexit.register(print, 'at the end'); sys.stdout.write('first ')",
    "import threading, time; threading.Thread(target=lambda: (time.sleep(0.05), print('late'))).start()",
    "class Held:\n    def __del__(self): print('let go of')\ndef hold(): held = Held()\nhold()",
    "raise SystemExit",
    "raise SystemExit(7)",
    "raise SystemExit('no such campaign')",
    "import os; os._exit(3)",
    "import os; os.kill(os.getpid(), 9)",
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
]
ENVIRONMENT = os.environ | {"MARK": "here", "TZ": "Asia/Shanghai"}


def is_warm(process: starting.Process) -> bool:
    return not isinstance(process, subprocess.Popen)


def asleep(parent: Parent) -> starting.Process:
    nothing = os.open(os.devnull, os.O_RDWR)
    request = Request(command=["-c", "import time; time.sleep(60)"], environment={}, folder=str(ROOT), new_session=True)
    try:
        return parent.fork(request, [nothing] * 3)
    finally:
        os.close(nothing)


def is_there(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("code", ALIKE)
def test_a_program_runs_and_ends_as_one_that_a_shell_starts(code):
    warm, cold = (starting.run(["-c", code, "an argument", "参数"], ENVIRONMENT, cold=cold) for cold in (False, True))

    assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr)


@pytest.mark.parametrize(("code", "status"), [("1 / 0", 1), ("raise KeyboardInterrupt", -signal.SIGINT)])
def test_an_error_ends_it_with_pythons_own_status_and_a_traceback(code, status):
    ended = starting.run(["-c", code], os.environ)

    assert ended.returncode == status
    assert ended.stderr.startswith("Traceback")


def test_a_module_is_the_main_one_although_it_is_loaded_already():
    warm, cold = (starting.run(["-m", "app", "--help"], os.environ, cold=cold) for cold in (False, True))

    assert "Usage: python -m app " in warm.stdout
    assert (warm.returncode, warm.stdout, warm.stderr) == (0, cold.stdout, "")


def test_it_hears_signals_and_whoever_waits_waits_no_longer_than_it_says():
    process = starting.start(["-c", "import time; time.sleep(60)"], os.environ)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    early = process.poll()

    process.terminate()

    assert is_warm(process)
    assert early is None
    assert process.wait(20) == process.poll() == process.returncode == -signal.SIGTERM
    assert not is_there(process.pid)


def test_it_leads_a_session_of_its_own_where_it_is_told_to_and_has_a_title(tmp_path):
    code = "import time, setproctitle; setproctitle.setproctitle('a title'); print(1, flush=True); time.sleep(60)"
    with open(tmp_path / "out", "wb") as out:
        process = starting.start(["-c", code], os.environ, stdout=out.fileno(), new_session=True)
    until((tmp_path / "out").read_text, what="it has begun")

    title, leads = psutil.Process(process.pid).cmdline()[0], os.getsid(process.pid) == process.pid
    os.killpg(process.pid, signal.SIGKILL)

    assert (title, leads) == ("a title", True)
    assert process.wait(20) == -signal.SIGKILL


@pytest.mark.parametrize("name", ["PYTHONIOENCODING", "LC_ALL", "NO_COLOR"])
def test_who_has_what_is_read_while_a_program_loads_is_started_as_a_shell_does(name):
    process = starting.start(["-c", "pass"], os.environ | {name: "ascii"})

    assert process.wait(20) == 0
    assert not is_warm(process)


def test_what_it_has_forked_ends_with_the_parent():
    parent = Parent(["json"])
    process = asleep(parent)

    parent.end()

    until(lambda: not is_there(process.pid), what="it is gone")


def test_parent_and_children_end_with_who_asked_for_them_also_by_a_kill():
    code = (
        "from tests.integration.test_starting import asleep; from tests.starting import Parent; import time\n"
        "parent = Parent(['json']); print(parent.pid, asleep(parent).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as asker:
        assert asker.stdout
        pids = [int(pid) for pid in asker.stdout.readline().split()]
        there = [is_there(pid) for pid in pids]

        asker.kill()

    assert there == [True, True]
    until(lambda: not any(map(is_there, pids)), what="both are gone")


def test_the_parent_has_one_thread_as_who_forks_must():
    parent = Parent(starting.LOADED)
    asleep(parent).kill()

    threads = len(list(Path(f"/proc/{parent.pid}/task").iterdir()))
    parent.end()

    assert threads == 1
