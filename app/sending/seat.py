"""One of a gateway's sending sessions, ours as long as we show signs of life; what is said and counted in its place."""

from dataclasses import dataclass

from sqlalchemy import Connection

from app.domain.traffic import Traffic
from app.sentence import Sentence
from app.store import accounts, contacts, gateway_totals


@dataclass(frozen=True, slots=True)
class Seat:
    """Everything here is a part of a transaction."""

    gateway: str
    slot: int
    holder: str

    def keep(self, connection: Connection) -> bool:
        """Show a sign of life; False where somebody else has it."""
        return accounts.keep_bind(connection, self.gateway, self.slot, self.holder)

    def give_back(self, connection: Connection) -> None:
        """Let it go; where somebody else has it by now, what is said in its place is theirs."""
        if accounts.give_bind_back(connection, self.gateway, self.slot, self.holder):
            contacts.leave(connection, self.gateway, self.slot)

    def count(self, connection: Connection, traffic: Traffic) -> None:
        """So much more went over it; the last thing in the transaction."""
        gateway_totals.add(connection, self.gateway, self.slot, traffic)

    def tell(self, connection: Connection, why_away: Sentence | None, under_way: int = 0) -> None:
        """How it stands with the gateway: why it cannot be reached now, or None."""
        contacts.tell(connection, self.gateway, self.slot, is_up=why_away is None, under_way=under_way, why=why_away)

    def told_ms(self, connection: Connection) -> int:
        """When that was told last, by the database's clock."""
        return contacts.told_ms(connection, self.gateway, self.slot)
