"""What can go wrong while seeding, beyond what the application already knows."""

from app.errors import AppError


class SeedError(AppError):
    """Base of what the seed raises."""


class ResetNotConfirmed(SeedError):
    """Nobody agreed to delete the rows that are there."""


class RowsLost(SeedError):
    """The database kept other rows than it was given; nothing stays of this run."""

    def __init__(self, sent: int, kept: int, warnings: int) -> None:
        self.sent = sent
        self.kept = kept
        self.warnings = warnings
        super().__init__("seed_rows_lost", count=sent, kept=kept, warnings=warnings)
