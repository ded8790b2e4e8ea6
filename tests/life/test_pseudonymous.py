"""Opened under a study's key: a person is the same code wherever they appear, and when the key is gone nobody is."""

import pytest

from epilock import inventory
from epilock.deidentify.noise.budget import Book
from epilock.deidentify.pseudonyms import study
from epilock.errors import ErasedError, ForbiddenError, InputError, StateError
from epilock.use import search


@pytest.fixture
def ward(town, clinic):
    """A doctor and a second person of the health office, and a study there."""
    doctor = clinic.hire("cdc", "doctor", "analyst")
    second = clinic.hire("cdc", "second", "approver")
    book = Book(log=town.parts.log, standard_ref=town.parts.standard.ref)
    with town.parts.database.write() as tx:
        study.begin(
            tx, town.parts.keys, book, org="cdc", study="cluster-9", purpose="tracing",
            by=doctor.staff, now=town.clock(),
        )  # fmt: skip

    def end():
        with town.parts.database.write() as tx:
            study.ask_end(tx, org="cdc", study="cluster-9", by=doctor.staff, now=town.clock())
        study.end(
            town.parts.database, town.parts.keys, book, org="cdc", study="cluster-9",
            by=second.staff, now=town.clock.forward(hours=24),
        )  # fmt: skip

    return doctor, second, end


def leave(clinic, ward, **change):
    traced = {
        "purpose": "tracing", "form": "pseudonymous", "case": "C-1", "study": "cluster-9", "subjects": 9,
    }  # fmt: skip
    return clinic.leave(ward[0], ward[1], **(traced | change))


def decide(town, ward, grant, places):
    with town.parts.database.write() as tx:
        return town.parts.gate.decide(
            tx, ward[0], source="garden", places=places, purpose="tracing", form="pseudonymous",
            grant=grant.grant, now=town.clock(),
        )  # fmt: skip


def reveal(town, decision):
    with town.parts.database.read() as tx:
        return town.parts.gate.reveal(tx, decision)


def test_codes_instead_of_names(town, clinic, ward):
    places = clinic.take("negative", "positive")
    places += clinic.take("negative", name="另一人", mobile="13800138000")
    one, again, other = reveal(town, decide(town, ward, leave(clinic, ward), places))
    assert one["identity.name"] == again["identity.name"] != other["identity.name"]
    assert one["contact.mobile"] != other["contact.mobile"]
    code = one["contact.mobile"]["mobile"]
    assert (len(code), code.count("-")) == (19, 3)
    assert [r["health.test-result"]["result"] for r in (one, again)] == ["negative", "positive"]
    assert "欧阳" not in str(one)
    assert "1391" not in str(one)
    assert list(inventory.check(town.parts.database, town.parts.log)) == []


def test_with_the_key_ends_what_it_opened(town, clinic, ward):
    places = clinic.take("negative")
    decided = decide(town, ward, leave(clinic, ward), places)
    ward[2]()
    with pytest.raises(ErasedError, match="has ended"):
        reveal(town, decided)
    with pytest.raises(StateError, match="has ended"):
        leave(clinic, ward)


@pytest.mark.parametrize("change", [{"study": None}, {"form": "masked"}])
def test_a_study_is_named_for_codes_and_for_nothing_else(clinic, ward, change):
    with pytest.raises(InputError, match="a study is named"):
        leave(clinic, ward, **change)


def test_a_grant_for_codes_finds_nobody_by_number(town, clinic, ward):
    clinic.take("negative")
    grant = leave(clinic, ward)
    with town.parts.database.write() as tx, pytest.raises(ForbiddenError, match="whose code"):
        search.search(
            town.parts.gate, tx, ward[0], source="garden", emergency="outbreak-7",
            category="contact.mobile", value="13912345678", grant=grant.grant, now=town.clock(),
        )  # fmt: skip


def test_a_study_serves_the_purpose_it_was_opened_for(town, clinic, ward):
    book = Book(log=town.parts.log, standard_ref=town.parts.standard.ref)
    with town.parts.database.write() as tx:
        study.begin(
            tx, town.parts.keys, book, org="cdc", study="other", purpose="research",
            by=ward[0].staff, now=town.clock(),
        )  # fmt: skip
    with pytest.raises(InputError, match="one of its own"):
        leave(clinic, ward, study="other")
