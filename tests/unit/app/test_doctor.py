"""What the doctor finds on this machine, check by check."""

import os
from collections import namedtuple
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import config
from app.config import Config
from app.doctor import certificates, kernel, log_folder, names, token
from app.doctor.database import Size
from app.doctor.finding import Finding, Verdict
from tests.certificates import issue
from tests.words import words

Usage = namedtuple("Usage", "total used free")


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


@pytest.fixture
def settings(monkeypatch, tmp_path):
    """`settings(sms_host="::")`, with logs in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    for name in Config.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("SMS_LOG_DIR", str(tmp_path))

    def load(**given: object) -> Config:
        for name, value in given.items():
            monkeypatch.setenv(name.upper(), str(value))
        return config.load()

    return load


# ── the settings' names ─────────────────────────────────────────────────────────────────────────


def test_a_setting_that_is_misspelt_is_shown_with_the_one_that_is_meant(settings, tmp_path):
    (tmp_path / ".env").write_text("SMS_SHARDSIZE=10\nSMS_UID=7\nOTHER=1\n")
    settings(sms_colour="red")

    colour, shard_size = names.examine()

    assert (colour.verdict, shard_size.verdict) == (Verdict.WARNING, Verdict.WARNING)
    assert words(colour.advice) == "remove it; docs/settings.md has a table of all"
    assert (words(shard_size.found), words(shard_size.advice)) == (
        "SMS_SHARDSIZE is not a setting",
        "did you mean SMS_SHARD_SIZE?",
    )


def test_a_line_of_the_settings_file_that_sets_nothing_is_named(settings, tmp_path):
    (tmp_path / ".env").write_text(
        "# ours\nSMS_PORT=9000\n\nSMS_WORKER_NUM 4\nexport SMS_HOST=127.0.0.1\nSMS_SHARD_SIZE\n"
    )
    settings()

    found = [*names.examine()]

    assert [each.verdict for each in found] == [Verdict.WARNING] * 2
    assert [words(each.found) for each in found] == [".env, line 4 cannot be read", ".env, line 6 cannot be read"]


def test_settings_that_are_all_ours_are_in_order(settings, tmp_path):
    (tmp_path / ".env").write_text("SMS_SHARD_SIZE=10\n")
    settings(sms_port=9000)

    assert only(names.examine()).verdict is Verdict.OK


# ── the kernel ──────────────────────────────────────────────────────────────────────────────────


def proc(home: Path, msgmax: int = 8192, msgmnb: int = 16384, msgmni: int = 100, used: int = 3) -> Path:
    """A /proc with these limits and so many queues."""
    (home / "sys/kernel").mkdir(parents=True)
    (home / "sysvipc").mkdir()
    for name, value in (("msgmax", msgmax), ("msgmnb", msgmnb), ("msgmni", msgmni)):
        (home / "sys/kernel" / name).write_text(f"{value}\n")
    (home / "sysvipc/msg").write_text("key msqid\n" + "1 2\n" * used)
    return home


def test_limits_that_suffice_are_shown(tmp_path):
    finding = only(kernel.examine(proc(tmp_path)))

    assert (finding.verdict, words(finding.found)) == (
        Verdict.OK,
        "msgmax 8,192, msgmnb 16,384, msgmni 100, 3 in use",
    )


@pytest.mark.parametrize(
    ("limits", "verdict", "advice"),
    [
        ({"msgmax": 8191}, Verdict.WARNING, "sysctl -w kernel.msgmax=8192"),
        ({"msgmnb": 16383}, Verdict.WARNING, "sysctl -w kernel.msgmnb=16384"),
        ({"msgmni": 3}, Verdict.PROBLEM, "ipcrm -q"),
    ],
)
def test_a_limit_that_is_too_low_is_said_with_what_to_do(tmp_path, limits, verdict, advice):
    finding = only(kernel.examine(proc(tmp_path, **limits)))

    assert finding.verdict is verdict
    assert advice in words(finding.advice)


def test_a_kernel_without_queues_is_a_warning(tmp_path):
    assert only(kernel.examine(tmp_path)).verdict is Verdict.WARNING


# ── the logs ────────────────────────────────────────────────────────────────────────────────────


def test_a_folder_of_ours_is_well_and_has_room(tmp_path):
    (tmp_path / "spring").mkdir(mode=0o700)

    logs, room = log_folder.examine(tmp_path, Size(10, 100.0))

    assert (logs.verdict, room.verdict) == (Verdict.OK, Verdict.OK)
    assert "a campaign to 10 customers" in words(room.found)


def test_a_folder_that_is_not_there_will_be_made(tmp_path):
    logs, _ = log_folder.examine(tmp_path / "a" / "b", None)

    assert logs.verdict is Verdict.OK
    assert not (tmp_path / "a").exists()


def test_a_file_in_the_place_of_the_folder_is_a_problem(tmp_path):
    (tmp_path / "file").touch()

    assert only(log_folder.examine(tmp_path / "file" / "logs", None)).verdict is Verdict.PROBLEM


def test_a_folder_that_we_may_not_write_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere

    finding = only(log_folder.examine(tmp_path, None))

    assert finding.verdict is Verdict.PROBLEM
    assert f"chown {os.geteuid()}" in words(finding.advice)


def test_a_folder_on_a_disk_that_is_read_only_is_not_to_be_cured_by_its_owner(tmp_path, monkeypatch):
    real = os.statvfs(tmp_path)
    read_only = namedtuple("Room", "f_flag f_blocks")(real.f_flag | os.ST_RDONLY, real.f_blocks)
    monkeypatch.setattr(os, "statvfs", lambda _: read_only)

    finding = only(log_folder.examine(tmp_path, None))

    assert finding.verdict is Verdict.PROBLEM
    assert "read-only" in words(finding.found)
    assert "chown" not in words(finding.advice)


def test_what_is_removed_while_one_looks_is_no_matter(tmp_path, monkeypatch):
    (tmp_path / ".token").touch(mode=0o600)
    real = Path.iterdir

    def iterdir(path):
        for each in real(path):
            each.unlink()
            yield each

    monkeypatch.setattr(Path, "iterdir", iterdir)

    logs, _ = log_folder.examine(tmp_path, None)

    assert logs.verdict is Verdict.OK
    assert not (tmp_path / ".token").exists()


@pytest.mark.parametrize("place", ["/proc/logs", "link", "link/logs", "x" * 300])
def test_a_folder_that_cannot_be_made_is_a_problem(tmp_path, place):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    assert only(log_folder.examine(tmp_path / place, None)).verdict is Verdict.PROBLEM


@pytest.mark.parametrize("mode", [0o750, 0o704, 0o701])
def test_messages_that_others_can_read_are_a_warning(tmp_path, mode):
    (tmp_path / "spring").mkdir()
    (tmp_path / "spring").chmod(mode)

    logs, _ = log_folder.examine(tmp_path, None)

    assert logs.verdict is Verdict.WARNING
    assert words(logs.advice) == f"run: chmod -R go= {tmp_path}"


def test_too_little_room_for_everybody_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(0, 0, 150_000_000))

    *_, enough = log_folder.examine(tmp_path, Size(1_000_000, 100.0))
    *_, too_little = log_folder.examine(tmp_path, Size(2_000_000, 100.0))

    assert (enough.verdict, too_little.verdict) == (Verdict.OK, Verdict.PROBLEM)
    assert words(too_little.found) == "150.0 MB are free, a campaign to 2,000,000 customers writes some 200.0 MB"


# ── the token ───────────────────────────────────────────────────────────────────────────────────

LONG = "x" * 32


@pytest.mark.parametrize(
    ("given", "verdict", "said"),
    [
        ({}, Verdict.OK, "none is set here"),
        ({"sms_trigger_token": LONG}, Verdict.OK, "from SMS_TRIGGER_TOKEN"),
        ({"sms_trigger_token": "short"}, Verdict.WARNING, "5 letters"),
        ({"sms_host": "0.0.0.0"}, Verdict.PROBLEM, "the server will not start"),
        ({"sms_host": "0.0.0.0", "sms_trigger_token": LONG}, Verdict.WARNING, "in the clear"),
        (
            {"sms_host": "0.0.0.0", "sms_trigger_token": LONG, "sms_tls_cert": "c", "sms_tls_key": "k"},
            Verdict.OK,
            "from",
        ),
        ({"sms_trigger_token_file": "nowhere"}, Verdict.PROBLEM, "there is no file nowhere"),
    ],
)
def test_the_token_is_judged_by_who_can_reach_us(settings, given, verdict, said):
    finding = only(token.examine(settings(**given)))

    assert finding.verdict is verdict
    assert said in words(finding.found)
    assert LONG not in words(finding.found)
    assert finding.advice is None or LONG not in words(finding.advice)


@pytest.mark.parametrize(("mode", "verdict"), [(0o600, Verdict.OK), (0o640, Verdict.WARNING)])
def test_a_token_file_that_others_can_read_is_a_warning(settings, tmp_path, mode, verdict):
    (tmp_path / ".token").write_text(LONG)
    (tmp_path / ".token").chmod(mode)

    assert only(token.examine(settings())).verdict is verdict


# ── certificates ────────────────────────────────────────────────────────────────────────────────


def test_a_certificate_is_judged_by_the_days_that_it_has_left(settings, tmp_path, monkeypatch):
    pair = issue(tmp_path, "server")  # valid for a day
    given = settings(sms_tls_cert=pair.cert_file, sms_tls_key=pair.key_file)

    soon = only(certificates.examine(given))
    monkeypatch.setattr(certificates, "datetime", _Shifted)
    over = only(certificates.examine(given))
    monkeypatch.undo()
    monkeypatch.setattr(certificates, "SOON_DAYS", 0)
    well = only(certificates.examine(given))

    assert [each.verdict for each in (soon, over, well)] == [Verdict.WARNING, Verdict.PROBLEM, Verdict.OK]
    assert words(over.advice) == f"renew {pair.cert_file}"


def test_a_key_that_does_not_belong_to_its_certificate_is_a_problem(settings, tmp_path):
    pair, other = issue(tmp_path, "server"), issue(tmp_path, "other")
    locked = issue(tmp_path, "locked", passphrase=b"secret")

    ours, others, closed = (
        list(certificates.examine(settings(sms_tls_cert=cert.cert_file, sms_tls_key=key.key_file)))[1:]
        for cert, key in ((pair, pair), (pair, other), (locked, locked))
    )

    assert ours == []
    assert [each.verdict for each in (*others, *closed)] == [Verdict.PROBLEM] * 2
    assert words(others[0].found) == f"SMS_TLS_KEY {other.key_file} does not belong to SMS_TLS_CERT"
    assert "passphrase" in words(closed[0].found)


class _Shifted(datetime):
    """A clock that is two weeks ahead."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz or UTC) + timedelta(days=14)


@pytest.mark.parametrize("content", [None, b"", b"nothing in PEM"])
def test_a_file_that_holds_no_certificate_is_a_problem(settings, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    finding = only(certificates.examine(settings(sms_tls_ca=path)))

    assert finding.verdict is Verdict.PROBLEM
    assert f"SMS_TLS_CA {path}" in words(finding.found)


def test_without_certificates_there_is_nothing_to_say(settings):
    assert list(certificates.examine(settings())) == []
