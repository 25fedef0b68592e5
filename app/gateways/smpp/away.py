"""Why a message centre does not let us in, in a sentence by its cause."""

import ssl

from app.errors import GatewayAway
from app.gateways.smpp import status
from app.gateways.smpp.errors import BindRefused, SmppError


def away(where: str, error: SmppError | None) -> GatewayAway:
    """What came of the last try to be bound there; None: nothing yet."""
    if isinstance(error, BindRefused):
        return GatewayAway("gateway_away.refused", where=where, status=status.explain(error.status))
    match error.__cause__ if error else TimeoutError():
        case TimeoutError(args=()):
            return GatewayAway("gateway_away.silent", where=where)
        case ssl.SSLCertVerificationError() as cause:
            return GatewayAway("gateway_away.certificate", where=where, why=cause.verify_message)
        case ssl.SSLError() as cause:
            return GatewayAway("gateway_away.tls", where=where, why=cause.reason or cause)
        case OSError() as cause:
            return GatewayAway("gateway_away.unreachable", where=where, why=cause.strerror or cause)
        case _:
            return GatewayAway("gateway_away", where=where, why=str(error))
