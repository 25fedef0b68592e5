"""`make demo`'s script: the whole story, and nothing of it left running."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port

SCRIPT = Path(__file__).parent.parent.parent / "examples" / "demo.sh"
WITHIN_S = 240.0
"""A dozen programs, one after the other."""
pytestmark = pytest.mark.timeout(WITHIN_S + 60)


def test_the_demo_greets_everyone_says_where_the_logs_are_and_leaves_no_process(tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CUSTOMERS": "2000",
        "DEMO_DIR": str(tmp_path),
        "SMS_PORT": str(port),
        "SMS_SHARD_SIZE": "500",
    }

    done = subprocess.run(
        ["sh", SCRIPT], check=False, env=os.environ | settings, capture_output=True, text=True, timeout=WITHIN_S
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "has begun, as task 0,1,2,3" in done.stdout
    assert "finished, 2,000 sent" in done.stdout
    (campaign,) = (tmp_path / "logs").glob("[!.]*")
    assert f"{campaign}/task_*.log" in done.stdout
    assert sum(log.read_text().count("\n") for log in campaign.iterdir()) == 2000
    assert f"DATABASE_URL=sqlite:///{tmp_path}/customers-2000.db SMS_LOG_DIR={tmp_path}/logs make web" in done.stdout
    assert done.stdout.endswith(f"http://127.0.0.1:8000/campaigns/{campaign.name}\n")
    assert not any(str(tmp_path) in line for line in _environments_of_our_processes())


def test_the_demo_by_smpp_compares_what_is_on_record_with_the_centres_log_and_leaves_no_process(tmp_path: Path) -> None:
    settings = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CUSTOMERS": "2000",
        "DEMO_DIR": str(tmp_path),
        "GATEWAY": "smpp",
        "SMS_PORT": str(free_port()),
        "SMS_SHARD_SIZE": "500",
    }

    done = subprocess.run(
        ["sh", SCRIPT], check=False, env=os.environ | settings, capture_output=True, text=True, timeout=WITHIN_S
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "On record as sent 2000; in the centre's log 2000 messages to 2000 numbers" in done.stdout
    (centre_log,) = tmp_path.glob("*.centre.log")
    assert centre_log.read_text().count("\n") == 2000
    assert not any(str(tmp_path) in line for line in _environments_of_our_processes())


def _environments_of_our_processes() -> list[str]:
    """What every process of this user was started with; those that end meanwhile are left out."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append((folder / "environ").read_text(errors="replace"))
        except OSError:
            continue
    return found
