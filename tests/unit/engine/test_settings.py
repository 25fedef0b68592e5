"""engine/settings.py: nothing that cannot work is let in, and everything wrong is said at once."""

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from engine import IpcMode, Settings, SettingsError

BAD = {
    "worker_num": [0, -1, 257, 1.5, "4", None, True],
    "task_worker_num": [-1, 1025, 2.0, "4", None, False],
    "task_ipc_mode": [0, 9, "SOCKET", None, [], True],
    "task_tmpdir": ["relative/dir", "~/tasks", None, 5, b"/tmp/x", Path("/tmp/x"), "/tmp/nul\0byte"],
    "task_max_attempts": [0, 256, 1.5, "3", None],
    "message_queue_key": [0, -1, 2**31, 1.0, "1", True],
    "task_queue_max_bytes": [0, 65_535, 2**36 + 1, 1e6, "64M", None],
    "task_max_request": [-1, 2**31 + 1, 1.5, "3", None],
    "task_max_request_grace": [-1, 2**31 + 1, 1.5, "3", True],
    "task_max_memory": [-1, 2**50 + 1, 1.5, "1G", None],
    "task_enable_coroutine": [None, "yes", 1],
    "task_max_concurrency": [0, 65, 1.5, "3", None],
    "max_conn": [0, 2**20 + 1, 1.5, "3", None],
    "heartbeat_idle_time": [-0.1, 86_401, float("nan"), "3"],
    "heartbeat_check_interval": [-0.1, 86_401, float("nan"), "3", None],
    "frame_timeout_s": [-0.1, 86_401, float("nan"), "3", None],
    "ssl_cert_file": [None, 5, b"cert.pem", Path("cert.pem"), "nul\0byte"],
    "ssl_key_file": [None, 5, b"key.pem", Path("key.pem"), "nul\0byte"],
    "ssl_client_cert_file": [None, 5, b"ca.pem", Path("ca.pem"), "nul\0byte"],
    "ssl_verify_peer": [None, "yes", 1],
    "max_wait_time": [-0.1, 86_401, float("nan"), float("inf"), "3", None, True],
    "open_length_check": [None, "yes", 1],
    "open_eof_check": [None, "yes", 1],
    "open_eof_split": [None, "yes", 1],
    "package_eof": [b"", b"123456789", "\n", None, 10],
    "package_length_type": ["", "x", "NN", "n ", None, 4, b"N", ["N"]],
    "package_length_offset": [-1, 65_536, 0.0, "0", None],
    "package_body_offset": [-1, 65_536, 0.0, "0", None],
    "package_max_length": [0, -1, 2**31 + 1, 1e6, "2M", None],
    "buffer_output_size": [0, -1, 2**31 + 1, 1e6, "2M", None],
    "open_tcp_nodelay": [None, "on", 0],
    "backlog": [0, 65_536, 1.0, "512", None],
    "process_name": ["", None, 7, b"engine", "nul\0byte", "two\nlines", "\ud800"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_value_that_cannot_work_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**{name: value})

    (problem,) = caught.value.problems
    assert problem.startswith(f"{name} is {value!r}, must be ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("worker_num", 1),
        ("worker_num", 256),
        ("task_worker_num", 0),
        ("task_worker_num", 1024),
        ("task_ipc_mode", IpcMode.SOCKET),
        ("task_ipc_mode", 1),
        ("task_tmpdir", ""),
        ("task_tmpdir", "/var/tasks"),
        ("task_max_attempts", 1),
        ("task_max_attempts", 255),
        ("max_wait_time", 0),
        ("max_wait_time", 0.5),
        ("max_wait_time", 86_400),
        ("heartbeat_idle_time", 0.5),
        ("task_max_request_grace", None),
        ("task_ipc_mode", 2),
        ("task_ipc_mode", IpcMode.PREEMPTIVE),
        ("package_max_length", 2**31),
        ("buffer_output_size", 1),
        ("backlog", 65_535),
        ("process_name", "短信 server"),
    ],
)
def test_a_value_in_its_range_is_kept_as_it_is(name: str, value: Any) -> None:
    assert getattr(Settings(**{name: value}), name) == value


def test_all_problems_are_said_at_once() -> None:
    bad = {name: values[0] for name, values in BAD.items()}

    with pytest.raises(SettingsError) as caught:
        Settings(**bad)

    assert len(caught.value.problems) == len(BAD)
    assert all(name in str(caught.value) for name in BAD)


def test_a_frame_that_could_never_be_whole_is_refused() -> None:
    with pytest.raises(SettingsError, match="package_max_length is 10, must be at least 12"):
        Settings(open_length_check=True, package_length_offset=8, package_max_length=10)


def test_an_unknown_setting_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"there is no setting worker_number, did you mean worker_num\?"):
        Settings(worker_number=4)  # type: ignore[call-arg]


def test_settings_do_not_change() -> None:
    settings = Settings()

    with pytest.raises(FrozenInstanceError):
        settings.backlog = 1  # type: ignore[misc]


def test_the_defaults_can_work() -> None:
    assert Settings().worker_num >= 1


@pytest.mark.parametrize("delimited", ["open_eof_check", "open_eof_split"])
def test_a_stream_has_lengths_or_delimiters_not_both(delimited: str) -> None:
    with pytest.raises(SettingsError, match="open_length_check is True"):
        Settings(open_length_check=True, **{delimited: True})


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"message_queue_key": 1}, "message_queue_key is set, so task_ipc_mode must be QUEUE or PREEMPTIVE"),
        ({"task_max_request_grace": 5}, "task_max_request_grace is set, so task_max_request must be above 0"),
        ({"ssl_cert_file": "c.pem"}, "ssl_cert_file and ssl_key_file must be set both or neither"),
        ({"ssl_key_file": "k.pem"}, "ssl_cert_file and ssl_key_file must be set both or neither"),
        ({"ssl_client_cert_file": "ca.pem"}, "ssl_client_cert_file and ssl_verify_peer must be set both or neither"),
        (
            {"ssl_client_cert_file": "ca.pem", "ssl_verify_peer": True},
            "ssl_verify_peer is True, so ssl_cert_file must be set",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**settings)

    assert caught.value.problems == [problem]
