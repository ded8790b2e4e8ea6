"""A run that was asked for goes on beside who asked: it can be watched, left, and begun once."""

import threading
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from estate import CLINIC, ORG, OTHER, midnight_after

from epilock.beside import Works
from epilock.destroy import freeze
from epilock.destroy.beside import Runs
from epilock.errors import FrozenError, TamperedError
from epilock.ledger import entry
from epilock.ledger.check import Damage
from epilock.store.bucket import buckets

DUE = midnight_after(date(2026, 4, 11))
PATIENT = 60.0


class Gate:
    """A ``step`` that stops before the named one until it is let go on."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, step: str) -> None:
        if step == self.at:
            self.reached.set()
            assert self.open.wait(PATIENT)


def progress(runs, since=DUE):
    with runs.tools.database.read() as tx:
        return runs.progress(tx, ORG, since)


def test_it_is_watched_while_it_goes_on_and_begun_once(estate):
    estate.bucket()
    gate = Gate("keys")
    runs = Runs(replace(estate.tools, step=gate), lambda: DUE, Works())
    before = progress(runs)
    assert (before.due > 0, before.announced, before.is_under_way) == (True, 0, False)
    assert not runs.begin(ORG, wait=0)
    assert gate.reached.wait(PATIENT)
    assert not runs.begin(ORG, wait=0)
    during = progress(runs)
    assert (during.due, during.announced, during.certified) == (0, 1, 0)
    assert during.is_under_way
    gate.open.set()
    assert runs.begin(ORG, wait=PATIENT)
    after = progress(runs)
    assert (after.left, after.certified, after.problem) == (0, 1, None)
    assert not after.is_under_way
    assert len(estate.said(entry.Certificate)) == 1


def test_another_process_reads_how_far_it_is(estate):
    estate.bucket()
    assert Runs(estate.tools, lambda: DUE, Works()).begin(ORG, wait=PATIENT)
    seen = progress(Runs(estate.tools, lambda: DUE, Works()))
    assert (seen.left, seen.certified, seen.is_under_way) == (0, 1, False)
    assert (
        progress(Runs(estate.tools, lambda: DUE, Works()), DUE + timedelta(seconds=1)).certified
        == 0
    )


def test_only_the_organisation_that_asked(estate):
    estate.bucket()
    estate.bucket(org=OTHER)
    assert Runs(estate.tools, lambda: DUE, Works()).begin(ORG, wait=PATIENT)
    assert {said.org for said in estate.said(entry.Certificate)} == {ORG}


def test_what_stops_it_is_told_and_gone_when_the_next_one_begins(estate):
    """The row of a bucket that is due was changed past the program."""
    estate.bucket(circumstance=CLINIC)
    bucket = estate.bucket()
    runs = Runs(estate.tools, lambda: DUE, Works())
    row = (buckets.c.org == ORG) & (buckets.c.bucket == bucket.id)
    mac = _set_mac(estate, row, b"\0" * 16)
    assert runs.begin(ORG, wait=PATIENT)
    assert isinstance(_problem(runs), TamperedError)
    _set_mac(estate, row, mac)
    assert runs.begin(ORG, wait=PATIENT)
    assert (progress(runs).problem, progress(runs).due) == (None, 0)


def test_a_freeze_is_said_at_once(estate):
    with estate.database.write() as tx:
        found = [Damage("records (org=sunny)", "rows that are missing: 1")]
        freeze.begin(tx, estate.log, found, standard_ref=estate.ref, now=DUE)
    with pytest.raises(FrozenError):
        Runs(estate.tools, lambda: DUE, Works()).begin(ORG, wait=0)


def _problem(runs):
    return runs.works.of(("destruction", ORG)).problem


def _set_mac(estate, row, mac):
    with estate.database.write() as tx:
        before = tx.conn.execute(sa.select(buckets.c.mac).where(row)).scalar_one()
        tx.conn.execute(sa.update(buckets).where(row).values(mac=mac))
    return before
