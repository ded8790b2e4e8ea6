"""A city that declared an emergency, on either database, and its log."""

from datetime import date, datetime
from typing import Any

import pytest

from epilock.db import Database
from epilock.ledger.log import Log
from epilock.ledger.note import Signer
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.standard import load
from epilock.standard.level import CHINA
from epilock.standard.text import Text

ORIGIN, REF = "log.example/epilock", load().ref


class City:
    """The city; its day is 14 March 2026."""

    def __init__(self, database: Database, clock: Any) -> None:
        self.database, self.clock = database, clock
        self.log = Log(ORIGIN, lambda _: Signer.from_seed(ORIGIN, bytes(range(32))))
        with database.write() as tx:
            organisations.register(
                tx, self.log, standard_ref=REF, org="jinan", kind="government", range_="R3",
                parent=None, area="370102", name=Text("济南", "Jinan"), notice_key="made-up",
                contact=dict.fromkeys(organisations.CONTACT, "made up"), now=clock(),
            )  # fmt: skip
            emergencies.declare(
                tx, self.log, standard_ref=REF, authority="jinan", emergency="flood",
                kind="natural-disaster", area="370102", name=Text("洪水", "Flood"), now=clock(),
            )  # fmt: skip

    @property
    def today(self) -> date:
        return self.clock().astimezone(CHINA).date()

    def level(
        self, code: str, *, dated: date | None = None, end: date | None = None, seen: int | None = None,
        issuer: str = "City", effective: datetime | None = None,
    ) -> str:  # fmt: skip
        """Set the level; return which is in force."""
        with self.database.write() as tx:
            emergencies.change_level(
                tx, self.log, standard_ref=REF, authority="jinan", emergency="flood", level=code,
                issuer=issuer, instrument="No. 1", date_=dated or self.today, expected_end=end,
                now=self.clock(), effective=effective, seen=seen,
            )  # fmt: skip
            return emergencies.history(tx, "jinan", "flood").at(self.clock()) or ""

    def changes(self) -> list[str]:
        with self.database.read() as tx:
            return [c.level for c in emergencies.history(tx, "jinan", "flood").changes]

    def assess(self, dated: date, until: date) -> str:
        with self.database.write() as tx:
            return mandates.record_assessment(
                tx, self.log, standard_ref=REF, org="jinan", about="supplies", date_=dated,
                until=until, sha256="0" * 64, now=self.clock(),
            )  # fmt: skip

    def assessment(self) -> str | None:
        """The assessment that is in force."""
        with self.database.read() as tx:
            return mandates.find_assessment(tx, "jinan", "supplies", self.today)


@pytest.fixture
def city(database: Database, clock: Any) -> City:
    return City(database, clock)
