"""Signed grants: the key service opens what an approver's passkey signed, and nothing that others say beside it."""

from datetime import timedelta
from threading import Thread

import msgspec
import pytest

from epilock.demo.drill.device import ORIGIN, PRESENT, Device
from epilock.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    IntegrityError,
    NotFoundError,
    RateError,
    StateError,
)
from epilock.store import approval, file
from epilock.store.approval import Statement, StatementOfMany
from epilock.store.file import Sheet
from epilock.store.keyservice import address as addresses
from epilock.store.keyservice import granted
from epilock.store.keyservice.client import RemoteKeys
from epilock.store.keyservice.desk import Desk, Limits, sealing
from epilock.store.keyservice.server import Server

ORG, PART = "garden", "2-IV"
BUCKET = "garden/outbreak-7/quarantine/2026-03-14"
OTHER = "garden/outbreak-7/isolation/2026-03-14"
LIMITS = Limits(openings=20, alone=2, subjects=10, parts=4)
DOCTOR, APPROVER = "s-aaaaaaaaaaaa", "s-bbbbbbbbbbbb"
DEVICE = Device("health", APPROVER)
CODE, UNDER = "g-aaaaaaaaaaaa", ("health", "g-aaaaaaaaaaaa")


@pytest.fixture
def desk(keys, clock):
    keys.add_bucket(ORG, BUCKET, [PART, "3-II"])
    keys.add_bucket(ORG, OTHER, [PART])
    keys.add_bucket(ORG, "paper/p-1", ["file"])
    granted.add(sealing(keys), "health", DEVICE.approver, now=clock())
    return Desk(keys, LIMITS, clock, site=approval.site(ORIGIN))


@pytest.fixture
def said(clock):
    return Statement(
        grant=CODE, org="health", staff=DOCTOR, source=ORG, purpose="tracing", form="raw",
        circumstances=("quarantine",), subjects=3, until=clock() + timedelta(days=7),
    )  # fmt: skip


@pytest.fixture
def many(said):
    """A grant to count that reads two whole parts."""
    return StatementOfMany(
        **(msgspec.structs.asdict(said) | {"form": "aggregate", "subjects": 5}), parts=2
    )


def signed(desk, said, device=DEVICE, **how):
    """Register a statement that ``device`` signs."""
    desk.register(said.encoded(), device.sign(said.challenge(), **how))


def opened(desk, numbers, under, bucket=BUCKET):
    """Return how many of the records open before the first refusal."""
    found = 0
    for n in numbers:
        try:
            desk.leaf(ORG, bucket, PART, n, under)
        except (ForbiddenError, RateError):
            break
        found += 1
    return found


class TestOpenings:
    def test_are_as_many_different_records_as_the_grant_says(self, desk, said, clock):
        signed(desk, said)
        for n in (0, 1, 2, 0, 1, 2):
            desk.leaf(ORG, BUCKET, PART, n, UNDER)
            desk.leaf(ORG, BUCKET, "3-II", n, UNDER)
        with pytest.raises(RateError, match="3 of its 3"):
            desk.leaf(ORG, BUCKET, PART, 3, UNDER)
        clock.forward(days=1)  # no day gives it more
        assert opened(desk, range(3, 20), UNDER) == 0
        desk.leaf(ORG, BUCKET, PART, 2, UNDER)

    def test_need_a_grant_that_was_signed(self, desk, said):
        with pytest.raises(ForbiddenError, match="not signed by an approver"):
            desk.leaf(ORG, BUCKET, PART, 0, UNDER)
        signed(desk, said)
        for other in (("health", "g-bbbbbbbbbbbb"), ("garden", CODE)):
            with pytest.raises(ForbiddenError, match="not signed"):
                desk.leaf(ORG, BUCKET, PART, 0, other)

    def test_end_with_it(self, desk, said, clock):
        signed(desk, said)
        clock.forward(days=7, seconds=-1)
        desk.leaf(ORG, BUCKET, PART, 0, UNDER)
        clock.forward(seconds=1)
        with pytest.raises(ForbiddenError, match="is over"):
            desk.leaf(ORG, BUCKET, PART, 0, UNDER)

    def test_are_of_its_circumstances_and_source(self, desk, said, keys):
        signed(desk, said)
        with pytest.raises(ForbiddenError, match="no records of isolation"):
            desk.leaf(ORG, OTHER, PART, 0, UNDER)
        keys.add_bucket("school", "school/outbreak-7/quarantine/2026-03-14", [PART])
        with pytest.raises(ForbiddenError, match="no records of school"):
            desk.leaf("school", "school/outbreak-7/quarantine/2026-03-14", PART, 0, UNDER)

    @pytest.mark.parametrize("form", sorted(granted.OF_MANY))
    def test_of_single_records_are_not_for_a_grant_to_count(self, desk, many, form):
        signed(desk, msgspec.structs.replace(many, form=form))
        with pytest.raises(ForbiddenError, match="no records of garden"):
            desk.leaf(ORG, BUCKET, PART, 0, UNDER)

    def test_of_another_file_count_as_a_record(self, desk, said):
        """A photograph of before, whose place doesn't say what it shows, is one."""
        signed(desk, said)
        desk.leaf(ORG, "paper/p-1", "file", 0, UNDER)
        assert opened(desk, range(5), UNDER) == 2

    def test_without_a_grant_are_few_a_day(self, desk, clock):
        assert opened(desk, range(9), None) == 2
        with pytest.raises(RateError, match="2 of the 2 records that are opened without a grant"):
            desk.leaf(ORG, BUCKET, PART, 2)
        clock.forward(days=1)
        desk.leaf(ORG, BUCKET, PART, 2)

    def test_under_a_grant_are_bounded_by_the_day_besides(self, keys, desk, said, clock):
        few = Desk(keys, Limits(openings=2), clock, site=desk.site)
        signed(few, said)
        assert opened(few, range(9), UNDER) == 2
        clock.forward(days=1)
        assert opened(few, range(2, 9), UNDER) == 1

    def test_what_the_day_refuses_costs_the_grant_nothing(self, keys, desk, said, clock):
        few = Desk(keys, Limits(openings=0), clock, site=desk.site)
        signed(few, said)
        assert opened(few, range(9), UNDER) == 0
        assert [g.used for g in granted.grants(sealing(keys))] == [0]

    def test_a_counter_that_was_set_back_is_named(self, desk, said, key_database):
        signed(desk, said)
        desk.leaf(ORG, BUCKET, PART, 0, UNDER)
        with key_database.engine.begin() as conn:
            conn.exec_driver_sql("UPDATE service_grants SET used = 0")
        with pytest.raises(IntegrityError, match="changed past this program"):
            desk.leaf(ORG, BUCKET, PART, 1, UNDER)

    def test_where_grants_are_not_signed_the_day_counts_alone(self, keys, desk, clock, said):
        plain = Desk(keys, Limits(openings=3), clock)
        assert opened(plain, range(9), UNDER) == 3
        with pytest.raises(StateError, match="--signed-grants"):
            signed(plain, said)


class TestPhotographs:
    """Of a page of paper: the place of its key says which records it shows."""

    @pytest.fixture
    def kept(self, keys):
        """Keep the photograph of a page with the records ``numbers``; return its place."""

        def keep(*numbers, bucket=BUCKET):
            at = Sheet.of(f"x-{numbers[0]}", [(bucket, n) for n in numbers]).place
            keys.add_bucket(ORG, at, ["file"])
            return at

        return keep

    @staticmethod
    def shown(desk, at, under=UNDER):
        return desk.leaf(ORG, at, "file", 0, under)

    def test_are_no_further_records_of_the_grant(self, desk, said, kept, keys):
        at = kept(0, 1, 2)
        signed(desk, said)
        assert opened(desk, range(3), UNDER) == 3
        for _ in range(2):
            assert self.shown(desk, at) == keys.leaf(ORG, at, "file", 0)
        assert [g.used for g in granted.grants(sealing(keys))] == [3]
        with pytest.raises(RateError, match="3 of its 3"):
            desk.leaf(ORG, BUCKET, PART, 3, UNDER)

    @pytest.mark.parametrize("before", [[], [1], [5, 6, 7]])
    def test_are_shown_after_the_records_on_them(self, desk, said, kept, before):
        at = kept(0, 1)
        signed(desk, said)
        opened(desk, before, UNDER)
        with pytest.raises(ForbiddenError, match="when the records on it were opened"):
            self.shown(desk, at)

    def test_of_a_grant_show_no_more_records_than_it_opened(self, desk, said, kept):
        first, second, wide = kept(0, 2), kept(1, 3), kept(4, 5, 6, 7)
        signed(desk, said)
        opened(desk, (0, 1, 4), UNDER)
        self.shown(desk, first)
        for more in (second, wide):
            with pytest.raises(ForbiddenError, match="when the records on it were opened"):
                self.shown(desk, more)

    def test_are_of_its_circumstances(self, desk, said, kept):
        at = kept(0, bucket=OTHER)
        signed(desk, said)
        opened(desk, range(3), UNDER)
        with pytest.raises(ForbiddenError, match="no records of isolation"):
            self.shown(desk, at)

    def test_are_bounded_by_the_day_besides(self, keys, desk, said, kept, clock):
        at, few = kept(0), Desk(keys, Limits(openings=1), clock, site=desk.site)
        signed(few, said)
        opened(few, [0], UNDER)
        with pytest.raises(RateError, match="1 of the 1 records that are opened in a day"):
            self.shown(few, at)

    def test_without_a_grant_are_a_record_of_the_day(self, desk, kept):
        self.shown(desk, kept(0), None)
        assert opened(desk, range(5), None) == 1

    def test_whose_place_makes_no_sense_are_files_like_others(self):
        for at in (f"paper/x-1/{BUCKET}/0/many", f"paper/x-1/{BUCKET}", BUCKET, "release/r-1"):
            assert file.read_sheet(at) is None
        found = Sheet(code="x-1", bucket=BUCKET, n=7, rows=2)
        assert file.read_sheet(found.place) == found


class TestWholeParts:
    """What tables and releases read: all records of a part of one day."""

    def test_are_as_many_different_ones_as_the_grant_says(self, desk, many, keys, clock):
        signed(desk, many)
        for part in (PART, "3-II", PART):
            assert desk.whole(ORG, BUCKET, part, UNDER) == keys.cover(ORG, BUCKET, part)
        keys.add_bucket(ORG, BUCKET, ["3-IV"])
        with pytest.raises(RateError, match="2 of its 2 whole parts"):
            desk.whole(ORG, BUCKET, "3-IV", UNDER)
        clock.forward(days=1)  # no day gives it more
        with pytest.raises(RateError, match="2 of its 2 whole parts"):
            desk.whole(ORG, BUCKET, "3-IV", UNDER)
        desk.whole(ORG, BUCKET, PART, UNDER)

    def test_need_a_grant_that_was_signed(self, desk, many):
        with pytest.raises(ForbiddenError, match="under a grant"):
            desk.whole(ORG, BUCKET, PART)
        signed(desk, many)
        for other in (("health", "g-bbbbbbbbbbbb"), ("garden", CODE)):
            with pytest.raises(ForbiddenError, match="not signed"):
                desk.whole(ORG, BUCKET, PART, other)

    def test_are_not_for_a_grant_that_opens_single_records(self, desk, said):
        signed(desk, said)
        with pytest.raises(ForbiddenError, match="no whole part of garden"):
            desk.whole(ORG, BUCKET, PART, UNDER)

    def test_end_with_it(self, desk, many, clock):
        signed(desk, many)
        clock.forward(days=7, seconds=-1)
        desk.whole(ORG, BUCKET, PART, UNDER)
        clock.forward(seconds=1)
        with pytest.raises(ForbiddenError, match="is over"):
            desk.whole(ORG, BUCKET, PART, UNDER)

    def test_end_where_the_keys_are(self, desk, many, keys, clock):
        signed(desk, many)
        granted.end(sealing(keys), *UNDER, now=clock())
        with pytest.raises(ForbiddenError, match="is over"):
            desk.whole(ORG, BUCKET, PART, UNDER)

    def test_are_of_its_circumstances_and_source(self, desk, many, keys):
        signed(desk, many)
        other = "school/outbreak-7/quarantine/2026-03-14"
        keys.add_bucket("school", other, [PART])
        with pytest.raises(ForbiddenError, match="no whole part of school"):
            desk.whole("school", other, PART, UNDER)
        with pytest.raises(ForbiddenError, match="no whole part of isolation"):
            desk.whole(ORG, OTHER, PART, UNDER)
        with pytest.raises(ForbiddenError, match="no whole part of files"):
            desk.whole(ORG, "paper/p-1", "file", UNDER)

    def test_are_bounded_by_the_day_besides(self, keys, desk, many, clock):
        signed(desk, many)
        few = Desk(keys, Limits(parts=1), clock, site=desk.site)
        few.whole(ORG, BUCKET, PART, UNDER)
        with pytest.raises(RateError, match="1 of the 1 parts that are given out whole in a day"):
            few.whole(ORG, BUCKET, "3-II", UNDER)
        assert [g.used for g in granted.grants(sealing(keys))] == [1]

    def test_of_one_grant_are_no_more_than_the_service_gives_in_a_day(self, desk, many):
        with pytest.raises(InputError, match="at most 4 whole parts"):
            signed(desk, msgspec.structs.replace(many, parts=5))

    @pytest.mark.parametrize(
        "field", [{"parts": 4}, {"source": "school"}, {"circumstances": ("isolation",)}]
    )
    def test_signed_for_are_not_others(self, desk, many, field):
        other = msgspec.structs.replace(many, **field)
        with pytest.raises(ForbiddenError, match="approved again"):
            desk.register(other.encoded(), DEVICE.sign(many.challenge()))

    def test_signed_for_come_from_no_other_device(self, desk, many):
        with pytest.raises(ForbiddenError, match="no approver of health"):
            signed(desk, many, Device("health", APPROVER, 2))

    def test_signed_for_once_are_not_to_be_had_twice(self, desk, many, keys):
        answer = DEVICE.sign(many.challenge())
        desk.register(many.encoded(), answer)
        for part in (PART, "3-II"):
            desk.whole(ORG, BUCKET, part, UNDER)
        keys.add_bucket(ORG, BUCKET, ["3-IV"])
        desk.register(many.encoded(), answer)
        with pytest.raises(RateError):
            desk.whole(ORG, BUCKET, "3-IV", UNDER)
        with pytest.raises(ConflictError, match="says something else"):
            signed(desk, msgspec.structs.replace(many, parts=4))

    @pytest.mark.parametrize("form", ["raw", "pseudonymous"])
    def test_are_for_tables_and_releases_alone(self, desk, said, many, form):
        with pytest.raises(InputError, match="if it is of many"):
            signed(desk, msgspec.structs.replace(many, form=form))
        with pytest.raises(InputError, match="if it is of many"):
            signed(desk, msgspec.structs.replace(said, form="aggregate"))

    def test_are_forgotten_with_their_grant(self, desk, many, clock, keys):
        signed(desk, many)
        desk.whole(ORG, BUCKET, PART, UNDER)
        clock.forward(days=7)
        until = clock() + timedelta(days=1)
        signed(desk, msgspec.structs.replace(many, grant="g-bbbbbbbbbbbb", until=until))
        with sealing(keys).read() as tx:
            assert tx.all(granted.given) == []

    def test_where_grants_are_not_signed_the_day_counts_alone(self, keys, desk, clock):
        plain = Desk(keys, Limits(parts=1), clock)
        plain.whole(ORG, BUCKET, PART, UNDER)
        plain.whole(ORG, BUCKET, PART)
        with pytest.raises(RateError):
            plain.whole(ORG, BUCKET, "3-II")


class TestSignatures:
    def test_of_who_is_no_approver(self, desk, said):
        with pytest.raises(ForbiddenError, match="no approver of health"):
            signed(desk, said, Device("health", APPROVER, 2))

    def test_of_an_approver_of_another_organisation(self, desk, said, keys, clock):
        other = Device("school", "s-cccccccccccc", 2)
        granted.add(sealing(keys), "school", other.approver, now=clock())
        with pytest.raises(ForbiddenError, match="no approver of health"):
            signed(desk, said, other)

    def test_of_one_above_who_was_made_known_for_this_one(self, desk, said, keys, clock):
        above = Device("city", "s-cccccccccccc", 2)
        granted.add(sealing(keys), "health", above.approver, now=clock())
        signed(desk, said, above)
        assert [g.signer for g in granted.grants(sealing(keys))] == ["s-cccccccccccc"]

    def test_of_who_was_removed(self, desk, said, keys, clock):
        granted.remove(sealing(keys), "health", DEVICE.approver.fingerprint(), now=clock())
        with pytest.raises(ForbiddenError, match="no approver"):
            signed(desk, said)
        with pytest.raises(ConflictError, match="stays so"):
            granted.add(sealing(keys), "health", DEVICE.approver, now=clock())

    def test_of_the_holder(self, desk, said):
        with pytest.raises(ForbiddenError, match="can't sign it"):
            signed(desk, msgspec.structs.replace(said, staff=APPROVER))

    @pytest.mark.parametrize(
        "how", [{"origin": "https://evil.example"}, {"rp": "evil.example"}, {"flags": PRESENT}]
    )
    def test_given_elsewhere_or_to_an_unchecked_holder(self, desk, said, how, keys):
        with pytest.raises(ForbiddenError, match="approved again"):
            signed(desk, said, **how)
        assert granted.grants(sealing(keys)) == []

    @pytest.mark.parametrize(
        "field", [{"subjects": 9}, {"grant": "g-bbbbbbbbbbbb"}, {"source": "school"}]
    )
    def test_over_another_statement(self, desk, said, field):
        other = msgspec.structs.replace(said, **field)
        with pytest.raises(ForbiddenError, match="approved again"):
            desk.register(other.encoded(), DEVICE.sign(said.challenge()))

    def test_once_more_change_nothing(self, desk, said, keys):
        answer = DEVICE.sign(said.challenge(), count=5)
        desk.register(said.encoded(), answer)
        assert opened(desk, range(9), UNDER) == 3
        desk.register(said.encoded(), answer)
        assert opened(desk, range(3, 9), UNDER) == 0

    def test_over_more_under_the_same_code(self, desk, said):
        signed(desk, said)
        with pytest.raises(ConflictError, match="says something else"):
            signed(desk, msgspec.structs.replace(said, subjects=9))

    def test_whose_counter_went_back(self, desk, said):
        signed(desk, said, count=5)
        with pytest.raises(ForbiddenError, match="approved again"):
            signed(desk, msgspec.structs.replace(said, grant="g-bbbbbbbbbbbb"), count=5)

    def test_over_more_or_longer_than_the_service_takes(self, desk, said, clock):
        for field, why in (
            ({"subjects": 11}, "at most 10 subjects"),
            ({"until": clock() + timedelta(days=32)}, "end within 31 days"),
            ({"until": clock()}, "end within 31 days"),
        ):
            with pytest.raises(InputError, match=why):
                signed(desk, msgspec.structs.replace(said, **field))

    def test_over_what_is_over_and_forgotten(self, desk, said, clock, keys):
        answer = DEVICE.sign(said.challenge())
        desk.register(said.encoded(), answer)
        desk.leaf(ORG, BUCKET, PART, 0, UNDER)
        clock.forward(days=7)
        later = msgspec.structs.replace(
            said, grant="g-bbbbbbbbbbbb", until=clock() + timedelta(days=1)
        )
        signed(desk, later)
        assert [g.statement for g in granted.grants(sealing(keys))] == [later]
        with pytest.raises(InputError, match="end within"):
            desk.register(said.encoded(), answer)


class TestEnding:
    def test_a_grant_that_was_ended_opens_nothing_and_is_not_had_anew(
        self, desk, said, keys, clock
    ):
        answer = DEVICE.sign(said.challenge())
        desk.register(said.encoded(), answer)
        granted.end(sealing(keys), *UNDER, now=clock())
        signed(desk, msgspec.structs.replace(said, grant="g-bbbbbbbbbbbb"))
        desk.register(said.encoded(), answer)
        with pytest.raises(ForbiddenError, match="is over"):
            desk.leaf(ORG, BUCKET, PART, 0, UNDER)

    def test_of_what_is_not_there(self, desk, keys, clock):
        with pytest.raises(NotFoundError):
            granted.end(sealing(keys), *UNDER, now=clock())
        with pytest.raises(NotFoundError, match="fingerprint"):
            granted.remove(sealing(keys), "health", "0000", now=clock())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_over_the_wire_a_client_says_under_which_grant(desk, said, many, tmp_path, keys):
    many = msgspec.structs.replace(many, grant="g-bbbbbbbbbbbb")
    at = addresses.read(f"unix:{tmp_path}/keys.sock")
    server = Server(desk, at)
    thread = Thread(target=server.serve)
    thread.start()
    remote = RemoteKeys(at)
    try:
        assert remote.signed
        with pytest.raises(ForbiddenError, match="not signed"):
            remote.under(*UNDER).leaf(ORG, BUCKET, PART, 0)
        remote.register(said.encoded(), DEVICE.sign(said.challenge()))
        leave = remote.under(*UNDER)
        assert leave.leaf(ORG, BUCKET, PART, 0) == keys.leaf(ORG, BUCKET, PART, 0)
        with pytest.raises(ForbiddenError, match="no whole part of garden"):
            leave.cover(ORG, BUCKET, PART)
        remote.register(many.encoded(), DEVICE.sign(many.challenge()))
        whole = remote.under(many.org, many.grant)
        assert whole.cover(ORG, BUCKET, PART) == keys.cover(ORG, BUCKET, PART)
        for n in (5, 6):
            remote.leaf(ORG, BUCKET, PART, n)
        with pytest.raises(RateError, match="without a grant"):
            remote.leaf(ORG, BUCKET, PART, 7)
    finally:
        remote.close()
        server.stop()
        thread.join(timeout=10)
