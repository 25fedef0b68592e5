"""One command speaks one language, and the trigger's port the one that it always spoke."""

import json
import re

import pytest
import sqlalchemy as sa

from app.store.database import writing
from tests.integration.app.serving import Product
from tests.waiting import until

CHINESE = re.compile(r"[\u4e00-\u9fff]")
LATIN = re.compile(r"\b(the|is|are|and|of|not|no|sent|running|finished|error|warning)\b")
CODE = re.compile(r"\b(column|state|shard_state|check|verdict|advice|difference|setting|watching|preview)\.\w")
NAME = "spring"
TOKEN = "t0p-secret-t0ken"


@pytest.fixture(params=["en", "zh"])
def speaking(request, sqlite, tmp_path):
    """A server with customers and a token, and commands that speak this language."""
    with Product(sqlite.url.render_as_string(), tmp_path, trigger_token=TOKEN, language=request.param) as product:
        with writing(sqlite) as connection:
            connection.execute(sa.text("INSERT INTO customers (name, gender, mobile) VALUES ('Li', 1, '13800000000')"))
        product.start()
        yield product


def in_its_language(product: Product, text: str) -> bool:
    """Paths are what they are, and forms of address what messages have."""
    text = re.sub(r"/\S+", "", text)
    if product.environment["SMS_LANGUAGE"] == "en":
        return not CHINESE.search(re.sub("先生|女士|客户", "", text))
    return not LATIN.search(text)


def test_whatever_a_command_prints_is_in_the_language_of_the_setting(speaking):
    answers = [
        speaking.run(*command.split())
        for command in (
            f"trigger {NAME} --watch --template {{name}}{{mobile}}",
            f"trigger {NAME}",
            f"watch {NAME}",
            f"trigger {NAME} --template {{mobile}}",
            "trigger x --template {town}",
            "trigger x --template nothing",
            f"status {NAME}",
            "status",
            "status nobody",
            f"report {NAME}",
            f"pause {NAME}",
            "resume nobody",
            f"logs {NAME} --task 7",
            "preview --template {name}{mobile}",
            "preview --customer 99",
            "doctor",
            "token",
        )
    ]

    said = [each.stdout + each.stderr for each in answers]
    assert all(said)
    assert [each for each in said if not in_its_language(speaking, each)] == []
    assert [each for each in said if CODE.search(re.sub(r"/\S+", "", each))] == []


def test_who_forgot_the_token_is_told_so_in_his_own_language(speaking):
    speaking.environment["SMS_TRIGGER_TOKEN"] = "another"

    ended = speaking.run("trigger", "x")

    assert ended.returncode == 1
    assert "token" in ended.stderr
    assert in_its_language(speaking, ended.stderr)


def test_a_campaign_that_failed_says_why_in_the_language_of_who_asks(speaking):
    speaking.run("trigger", NAME, "--watch", "--template", "{name}{mobile}")
    with writing(speaking.database) as connection:
        connection.execute(
            sa.text("UPDATE campaigns SET state = 'failed', reason = :reason"),
            {"reason": json.dumps({"code": "log_damaged.short", "facts": {"path": "/x", "size": 1, "position": 2}})},
        )

    shown, watched = speaking.run("status", NAME), speaking.run("watch", NAME)

    said = {
        "en": "/x has 1 bytes where 2 were written; to have it compared and completed, "
        f"run: python -m app resume {NAME}",
        "zh": f"/x 有 1 字节,而写入的是 2 字节;要核对并补全,请运行: python -m app resume {NAME}",
    }[speaking.environment["SMS_LANGUAGE"]]
    assert said in shown.stdout
    assert watched.stdout.splitlines()[-1] == said


def test_the_port_answers_in_the_words_of_the_tutorial_whatever_the_language(speaking):
    first, again, unknown = (
        json.loads(speaking.ask(json.dumps({**request, "token": TOKEN})))
        for request in ({"campaign": "a"}, {"campaign": "a"}, {"pause": "b"})
    )
    without = speaking.ask("a")
    until(lambda: speaking.state("a") == "finished", within_s=60, what="it is over")
    over = json.loads(speaking.ask(json.dumps({"pause": "a", "token": TOKEN})))

    assert first["message"] == "分发任务给了task0执行,您将收到短信提醒"
    assert again["message"].startswith("任务a已存在,状态: ")
    assert (unknown["error"], unknown["message"]) == ("unknown_campaign", "没有名为b的任务")
    assert (over["error"], over["message"]) == ("wrong_state", "任务a的状态是finished,不能暂停")
    assert (over["campaign"], over["state"]) == ("a", "finished")
    assert over["why"] == {"code": "wrong_state.pause", "facts": {"campaign": "a", "state": "finished"}}
    assert without == "请发送JSON,并带上正确的token"


@pytest.mark.parametrize(
    "command", ["python -m seed --customers 5", "python -m migrations", "python -m migrations status"]
)
def test_what_makes_the_tables_and_the_customers_speaks_it_too(speaking, command):
    module, *arguments = command.split()[2:]
    ended = speaking.run(*arguments, module=module)

    assert in_its_language(speaking, ended.stdout + ended.stderr)


def test_a_wrong_setting_is_said_in_the_language_that_another_setting_names(speaking):
    speaking.environment["SMS_PORT"] = "abc"

    ended = speaking.run("status")

    said = {"en": "error: SMS_PORT is not a whole number\n", "zh": "错误: SMS_PORT 不是整数\n"}
    assert ended.stderr == said[speaking.environment["SMS_LANGUAGE"]]
