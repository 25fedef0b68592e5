"""schemathesis over the whole document of the API, with the token of each scope: what it says is so."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
import schemathesis
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from app import config
from app.access import tokens
from app.config import Config
from app.domain.delivery import Delivery
from app.domain.rights import Scope
from app.store.database import open_database
from app.web.api.routes import document_of
from app.web.application import make_application
from tests.integration.app.api_server import running
from tests.integration.app.campaigns import trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_receipts import recorded
from tests.ports import free_port
from tests.tables import give_tables

WITHIN_S = 60.0
"""How long an answer may take before the test fails."""
GATEWAYS = f"""
[net]
kind = "smpp"
host = "127.0.0.1"
port = {free_port()}
system_id = "sms"
password_env = "NET_PASSWORD"
"""
"""One at which nobody answers."""
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
    checks.ignored_auth,
]


class Served(NamedTuple):
    """Where it is asked, and tokens by what they are good for."""

    address: str
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server on a database with customers, a campaign to logs and one to a network."""
    home = tmp_path_factory.mktemp("api")
    with pytest.MonkeyPatch.context() as patch:
        for name in Config.model_fields:
            patch.delenv(name.upper(), raising=False)
        patch.chdir(home)
        patch.setenv("DATABASE_URL", f"sqlite:///{home / 'sms.db'}")
        patch.setattr("app.campaigns.control.SETTLED_WITHIN_S", 0.0)
        patch.setattr("app.campaigns.drain.SETTLED_WITHIN_S", 0.0)
        (home / "gateways.toml").write_text(GATEWAYS)
        patch.setenv("SMS_GATEWAYS", str(home / "gateways.toml"))
        patch.setenv("NET_PASSWORD", "s3cret")
        settings = config.load()
        database = open_database(settings.database_url.get_secret_value())
        give_tables(database)
        move_in(database, crowd(5))
        trigger(database, "spring", 10)
        recorded(database, "net", [Delivery.DELIVERED, Delivery.REFUSED])
        every = {"all": [*Scope], **{each.value: [each] for each in Scope}}
        made = {name: tokens.add(database, name, scopes, None) for name, scopes in every.items()}
        with running(make_application(settings, database)) as address:
            yield Served(address, made)


schema = schemathesis.openapi.from_dict(document_of(make_application(Config(), sa.create_engine("sqlite://"))))
schema = schema.exclude(path_regex="/events$")  # an answer that does not end


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("scope", ["all", *Scope])
@schema.parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
def test_what_the_document_says_is_so(case, served, scope):
    case.call_and_validate(
        base_url=served.address,
        headers={"Authorization": f"Bearer {served.tokens[scope]}"},
        checks=CHECKS,
        timeout=WITHIN_S,
    )
