"""The gateways that the operator's file names, ready to be used. What a kind needs is imported where it is named."""

from app.config import Config
from app.domain.campaign import LOG
from app.errors import BadRequest, ConfigError, UnknownGateway
from app.gateways.accounts import Account, load
from app.gateways.aliyun.account import AliyunAccount
from app.gateways.base import Network, Outgoing
from app.gateways.tencent.account import TencentAccount
from app.gateways.twilio.account import TwilioAccount
from app.sentence import Sentence


def load_networks(config: Config) -> dict[str, Network]:
    """By name; none without a file. Raises ConfigError with every problem at once, that of a password that is not there
    or cannot be among them: better now than while a campaign waits."""
    networks: dict[str, Network] = {}
    problems: list[Sentence] = []
    for name, account in accounts_of(config).items():
        try:
            networks[name] = network_of(name, account)
        except ConfigError as error:
            path = config.sms_gateways
            problems += [Sentence("gateways.account", path=path, name=name, what=each) for each in error.problems]
    if problems:
        raise ConfigError(problems)
    return networks


def accounts_of(config: Config) -> dict[str, Account]:
    """What the file says, by name; none without a file. Raises ConfigError with every problem of the file at once."""
    return load(config.sms_gateways, answer_timeout_s=config.sms_answer_timeout_s)


def check_gateway(config: Config, name: str) -> None:
    """Raises UnknownGateway for one that the file does not name, and ConfigError."""
    known = accounts_of(config)
    if name not in known:
        raise UnknownGateway("unknown_gateway", gateway=name[:64], known=", ".join(known))


def outgoing(config: Config, name: str) -> Outgoing | None:
    """What a text becomes by this gateway, for which no secret is needed; None for the log. Raises BadRequest for one
    that is not there, and ConfigError."""
    if name == LOG:
        return None
    accounts = accounts_of(config)
    if name not in accounts:
        raise BadRequest("unknown_gateway", gateway=name[:64], known=", ".join([LOG, *accounts]))
    return _made(name, accounts[name])


def network_of(name: str, account: Account) -> Network:
    """One of them. Raises ConfigError for one that cannot even be tried."""
    made = _made(name, account)
    made.check_account()
    return made


def _made(name: str, account: Account) -> Network:
    # Who has no gateway of a kind does not pay for what it needs, nor need that to be there.
    try:
        if isinstance(account, TwilioAccount):
            from app.gateways.twilio.network import TwilioNetwork  # noqa: PLC0415

            return TwilioNetwork(name, account)
        if isinstance(account, AliyunAccount):
            from app.gateways.aliyun.network import AliyunNetwork  # noqa: PLC0415

            return AliyunNetwork(name, account)
        if isinstance(account, TencentAccount):
            from app.gateways.tencent.network import TencentNetwork  # noqa: PLC0415

            return TencentNetwork(name, account)
    except ImportError as error:
        raise ConfigError(
            [
                Sentence("gateways.no_sdk", package=error.name, extra=account.kind, why=error),
            ]
        ) from None
    from app.gateways.smpp.network import SmppNetwork  # noqa: PLC0415

    return SmppNetwork(name, account)
