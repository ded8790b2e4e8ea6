"""What tags promise: one identifier, one tag; another organisation or emergency, another tag."""

import json
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from holdings import NOW, ORG, RULES, plaintext
from hypothesis import given
from hypothesis import strategies as st

from epilock.errors import ErasedError, InputError
from epilock.ledger import entry
from epilock.store import tags
from epilock.store.remaking import remake
from epilock.store.suite import INTERNATIONAL

V = json.loads((Path(__file__).parents[1] / "vectors/store/tags.json").read_text())
FORM = tags.FORMS[V["version"]]


class TestForms:
    @pytest.mark.parametrize("v", V["rows"], ids=lambda v: f"{v['kind']} {v['typed']}")
    def test_vector(self, v):
        """A person must be found by what was tagged years ago."""
        normal = FORM[v["kind"]](v["typed"])
        assert normal == v["normal"]
        tag = tags.tag_of(INTERNATIONAL, bytes.fromhex(V["key"]), v["kind"], normal)
        assert tag.hex() == v["tag"]

    @given(st.sampled_from(sorted(FORM)), st.text(max_size=40))
    def test_a_normal_form_is_its_own_normal_form(self, kind, text):
        """Whatever is written: no error, and nothing changes the second time."""
        once = FORM[kind](text)
        assert FORM[kind](once) == once

    def test_kinds_do_not_mix(self):
        key = bytes(32)
        assert len({tags.tag_of(INTERNATIONAL, key, k, "1") for k in FORM}) == len(FORM)


class TestTerms:
    def test_subject_and_mentioned(self):
        assert tags.terms(plaintext(7)) == [
            ("2-IV", "subject", "name", "张三7"),
            ("2-IV", "subject", "phone", "13800000007"),
            ("3-II", "mentioned", "phone", "13900000007"),
        ]

    def test_every_number_in_a_text_is_found(self):
        text = "王五 13800000001、１３８００００００２２ 赵六+86 138-0000-0003;0531-80000000 110101199003078590"
        found = tags.terms({"4-IV": {"tracing.close-contacts": {"who": text}}})
        assert {(t.kind, t.value) for t in found} == {
            ("phone", "13800000001"),
            ("phone", "13800000022"),
            ("phone", "13800000003"),
            ("phone", "053180000000"),
            ("resident-id", "110101199003078590"),
        }
        assert {t.role for t in found} == {"mentioned"}

    def test_what_identifies_nobody_is_not_tagged(self):
        plain = {"3-IV": {"health.temperature": {"t": "36.8"}, "contact.mobile": {"m": "-"}}}
        assert tags.terms(plain) == []

    def test_the_same_twice_is_one(self):
        plain = {"2": {"contact.mobile": {"a": "13800000001", "b": "+8613800000001"}}}
        assert len(tags.terms(plain)) == 1


class TestFind:
    @pytest.fixture
    def filled(self, database, world):
        with database.write() as tx:
            sealer = world.sealer(tx, world.ensure(tx))
            world.collect(tx, sealer, *(plaintext(i) for i in range(5)))
            later = world.sealer(tx, world.ensure(tx, day=date(2026, 3, 15)))
            mentioned = plaintext(9)
            mentioned["3-II"]["contact.emergency-contact"]["contact"] = "张三2 138-0000-0002"
            world.collect(tx, later, plaintext(2), mentioned)
        return world

    def find(self, database, world, category, value, emergency="outbreak-7"):
        with database.read() as tx:
            return tags.find(tx, world.keys, ORG, emergency, category, value)

    def test_a_subject_is_found_wherever_they_are_held_or_mentioned(self, database, filled):
        found = self.find(database, filled, "contact.mobile", "+86 138 0000 0002")
        assert found == [(1, 2, "subject"), (2, 0, "subject"), (2, 1, "mentioned")]

    def test_by_name(self, database, filled):
        assert self.find(database, filled, "identity.name", "张三 2") == [
            (1, 2, "subject"),
            (2, 0, "subject"),
        ]

    def test_nobody(self, database, filled):
        assert self.find(database, filled, "contact.mobile", "13999999999") == []

    def test_a_category_that_finds_no_one_is_refused(self, database, filled):
        with pytest.raises(InputError, match=r"contact\.mobile"):
            self.find(database, filled, "health.diagnosis", "x")

    def test_with_the_key_gone_no_one_is_found(self, database, filled):
        filled.keys.destroy(ORG, tags=["outbreak-7"])
        with pytest.raises(ErasedError):
            self.find(database, filled, "contact.mobile", "13800000002")

    def test_columns_of_two_organisations_or_emergencies_cannot_be_joined(self, database, filled):
        with database.write() as tx:
            for change in ({"org": "school"}, {"emergency": "flood-2"}):
                sealer = filled.sealer(tx, filled.ensure(tx, **change))
                filled.collect(tx, sealer, plaintext(2))
        with database.read() as tx:
            c = tags.tags.c
            rows = tx.conn.execute(sa.select(c.org, c.bucket, c.tag).where(c.n.in_([0, 2]))).all()
        ours = {bytes(r.tag) for r in rows if r.org == ORG and r.bucket < 3}
        theirs = {bytes(r.tag) for r in rows if r.org != ORG}
        flood = {bytes(r.tag) for r in rows if r.org == ORG and r.bucket == 3}
        assert len(theirs) == len(flood) == len(tags.terms(plaintext(2)))
        assert not ours & theirs
        assert not ours & flood
        assert not theirs & flood


def _reversed(value: str) -> str:
    return FORM["phone"](value)[::-1]


FORMS = {1: FORM, 2: {**FORM, "phone": _reversed}}


class TestRemake:
    """A later normal form reaches what is held already, in the background."""

    def run(self, database, world, batch, stop_after=99):
        progress, slices = None, 0
        while slices < stop_after:
            with database.write() as tx:
                progress = remake(
                    tx, world.log, world.keys, org=ORG, emergency="outbreak-7",
                    standard_ref=RULES.ref, now=NOW, progress=progress, batch=batch, forms=FORMS,
                )  # fmt: skip
            slices += 1
            if progress is None:
                break
        return slices

    def fill(self, database, world, count=6):
        with database.write() as tx:
            sealer = world.sealer(tx, world.ensure(tx))
            world.collect(tx, sealer, *(plaintext(i) for i in range(count)))

    def rows(self, database):
        with database.read() as tx:
            return {tuple(r) for r in tx.conn.execute(sa.select(tags.tags))}

    def expected(self, world, count=6):
        key = world.keys.tag_key(ORG, "outbreak-7")
        return {
            row
            for n in range(count)
            for row in tags.tag_rows(
                INTERNATIONAL, key, (ORG, 1, n), tags.terms(plaintext(n), FORMS[2]), 2
            )
        }

    @pytest.mark.parametrize("batch", [1, 5, 1000])
    def test_all_tags_are_of_the_new_form_and_the_ledger_says_so(self, database, world, batch):
        self.fill(database, world)
        self.run(database, world, batch)
        assert self.rows(database) == self.expected(world)
        with database.read() as tx:
            said = entry.decode(world.log.entries(tx, world.log.size(tx) - 1, 1)[0])
        assert isinstance(said, entry.TagsRemade)
        assert (said.emergency, said.version) == ("outbreak-7", 2)

    def test_after_a_crash_it_begins_again_and_ends_the_same(self, database, world):
        self.fill(database, world)
        self.run(database, world, batch=3, stop_after=2)
        self.run(database, world, batch=3)
        assert self.rows(database) == self.expected(world)

    def test_nothing_to_do_is_not_entered(self, database, world):
        self.fill(database, world)
        self.run(database, world, batch=100)
        with database.read() as tx:
            before = world.log.size(tx)
        self.run(database, world, batch=100)
        with database.read() as tx:
            assert world.log.size(tx) == before

    def test_a_record_that_cannot_be_opened_does_not_stop_the_others(self, database, world):
        self.fill(database, world)
        with database.write() as tx:
            tx.conn.execute(sa.text("UPDATE parts SET nonce = sealed WHERE n = 2"))
        self.run(database, world, batch=4)
        old = {r for r in self.rows(database) if r[6] == 1}
        assert {r[4] for r in old} == {2}
        assert len(self.rows(database) & self.expected(world)) == 15
