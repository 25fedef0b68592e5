"""The gateways that the operator's file names, ready to be used. What a kind needs is imported where it is named."""

from app.config import Config
from app.gateways.accounts import load
from app.gateways.base import Network


def load_networks(config: Config) -> dict[str, Network]:
    """By name; none without a file. Raises ConfigError with every problem at once."""
    accounts = load(config.sms_gateways, answer_timeout_s=config.sms_answer_timeout_s)
    if not accounts:
        return {}
    from app.gateways.smpp.network import SmppNetwork  # noqa: PLC0415  who has no gateway does not pay for it

    return {name: SmppNetwork(name, account) for name, account in accounts.items()}
