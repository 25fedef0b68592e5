"""The gateways that the operator's file names, ready to be used. What a kind needs is imported where it is named."""

from app.config import Config
from app.errors import ConfigError
from app.gateways.accounts import load
from app.gateways.base import Network
from app.sentence import Sentence


def load_networks(config: Config) -> dict[str, Network]:
    """By name; none without a file. Raises ConfigError with every problem at once, that of a password that is not there
    or cannot be among them: better now than while a campaign waits."""
    accounts = load(config.sms_gateways, answer_timeout_s=config.sms_answer_timeout_s)
    if not accounts:
        return {}
    from app.gateways.smpp.network import SmppNetwork  # noqa: PLC0415  who has no gateway does not pay for it

    networks = {name: SmppNetwork(name, account) for name, account in accounts.items()}
    problems: list[Sentence] = []
    for name, network in networks.items():
        try:
            network.check_account()
        except ConfigError as error:
            path = config.sms_gateways
            problems += [Sentence("gateways.account", path=path, name=name, what=each) for each in error.problems]
    if problems:
        raise ConfigError(problems)
    return dict(networks)
