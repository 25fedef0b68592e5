"""The web process from its start to its end."""

import pytest

from tests.integration.app.serving import ON_SQLITE
from tests.integration.app.web_process import web_process


@ON_SQLITE
@pytest.mark.long
def test_it_serves_without_a_server_and_ends_in_good_order(product, tmp_path):
    with web_process(product, tmp_path) as web:
        with web.get("/health/ready") as answer:
            headers = dict(answer.headers)
            assert answer.status == 200

        assert web.stop() == 0

    assert "server" not in {name.lower() for name in headers}
    assert "Traceback" not in web.log.read_text()


@ON_SQLITE
def test_where_others_could_look_it_does_not_start(product):
    product.environment["SMS_WEB_HOST"] = "0.0.0.0"

    ended = product.run("web")

    assert ended.returncode == 1
    assert "SMS_WEB_HOST 0.0.0.0 can be reached from other machines" in ended.stderr
    assert "Traceback" not in ended.stderr


@ON_SQLITE
def test_a_port_that_somebody_has_is_named(product, tmp_path):
    with web_process(product, tmp_path) as web:
        product.environment["SMS_WEB_PORT"] = web.url.rpartition(":")[2]

        ended = product.run("web")

    assert ended.returncode == 1
    assert "cannot listen on 127.0.0.1:" in ended.stderr
