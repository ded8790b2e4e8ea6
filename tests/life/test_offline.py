"""Without a network: what a device sealed comes in once, on its day, or not at all; and nobody else opens it."""

from uuid import UUID, uuid4

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from epilock.collect import code, offline, point
from epilock.collect.record import Stored
from epilock.errors import (
    ClosedError,
    ConflictError,
    EpilockError,
    ErasedError,
    FieldsError,
    FileFormatError,
    InputError,
    TooLargeError,
)
from epilock.ledger import entry, shards
from epilock.ledger.audit import Auditor, StandardRules
from epilock.store import bucket as buckets

SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Device:
    """What a collector's browser does, with another implementation of HPKE than the page's."""

    def __init__(self, town):
        self.town, parts = town, town.parts
        with parts.database.write() as tx:
            self.lease = offline.take(
                tx, parts.log, parts.keys, parts.standard, org="garden", point=town.point,
                holder="s1", now=town.clock(),
            )  # fmt: skip

    def box(self, submission=None, **change):
        said = msgspec.json.encode(submission or self.town.submission(**change))
        return self.seal(said + b" " * (-len(said) % 1024))

    def seal(self, plain):
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.lease.public)
        return SUITE.encrypt(plain, public, offline.INFO + self.lease.lease.encode())

    def open(self, box):
        parts = self.town.parts
        with parts.database.read() as tx:
            lease = offline.load(tx, "garden", self.lease.lease)
            return offline.open_box(
                tx, parts.keys, parts.standard, lease, box, now=self.town.clock()
            )

    def send(self, box):
        answer = self.town.store(self.open(box))[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def device(town):
    return Device(town)


class TestSending:
    def test_what_comes_the_next_day_lies_in_the_bucket_of_its_day(self, town, device):
        client = str(uuid4())
        box = device.box(client=client)
        town.clock.forward(hours=20)
        stored = device.send(box)
        assert stored.bucket == "garden/flu/residential-entry/2026-03-14"
        assert code.parse(stored.code).receipt_id == UUID(client).bytes  # as the person holds it
        assert device.send(box).repeated  # a cut connection, a second device: stored once

    def test_one_receipt_never_stands_for_two_contents(self, device):
        client = str(uuid4())
        device.send(device.box(client=client))
        fields = {**device.town.submission().fields, "temperature": "37.5"}
        with pytest.raises(ConflictError):
            device.send(device.box(client=client, fields=fields))

    def test_a_notice_that_changed_meanwhile_does_not_undo_what_its_person_read(self, town, device):
        box = device.box()
        town.clock.forward(minutes=5)
        town.level("I")
        assert isinstance(device.send(box), Stored)

    def test_a_stranger_finds_nothing_wrong_in_the_log(self, town, device):
        box = device.box()
        town.clock.forward(hours=30)
        device.send(box)
        with town.parts.database.read() as tx:
            told = shards.entries_at(tx, town.parts.log, 0, 1000)
        stranger = Auditor(StandardRules([town.parts.standard]))
        for index, data in enumerate(told):
            stranger.read(index, entry.decode(data))
        assert stranger.conclude(town.clock()).by_key == {}


class TestRefusal:
    def test_after_its_end_the_key_is_gone_for_good(self, town, device):
        box = device.box()
        town.clock.forward(
            hours=40
        )  # 01:00 UTC and 40 hours: past the end of the next day in China
        with pytest.raises(ClosedError, match="has ended"):
            device.open(box)
        parts = town.parts
        assert offline.forget_ended(parts.database, parts.keys, now=town.clock()) == 1
        assert offline.forget_ended(parts.database, parts.keys, now=town.clock()) == 0
        for part in device.lease.parts:
            with pytest.raises(ErasedError):
                parts.keys.leaf(
                    "garden", "garden/flu/residential-entry/2026-03-14", part, device.lease.number
                )

    def test_a_lease_that_ends_between_opening_and_storing_stores_nothing(self, town, device):
        accepted = device.open(device.box())
        with town.parts.database.write() as tx:
            offline.end(tx, device.lease, now=town.clock())
        assert isinstance(town.store(accepted)[0], ClosedError)

    def test_a_closed_point_takes_nothing_more(self, town, device):
        accepted = device.open(device.box())
        with town.parts.database.write() as tx:
            point.close_point(
                tx, town.parts.log, town.parts.standard, org="garden", point=town.point,
                reason="moved", now=town.clock(),
            )  # fmt: skip
        assert isinstance(town.store(accepted)[0], ClosedError)

    def test_the_box_of_another_lease_or_a_changed_one_does_not_open(self, town, device):
        box, other = device.box(), Device(town)
        for bad in (other.box(), box[:-1], box[:40], b"", bytes([*box[:-1], box[-1] ^ 1])):
            with pytest.raises(FileFormatError):
                device.open(bad)
        with pytest.raises(TooLargeError):
            device.open(bytes(offline.MAX_BOX + 1))

    def test_what_is_inside_is_held_to_the_form(self, device):
        with pytest.raises(FieldsError):
            device.open(device.box(fields={"name": "张三"}))
        with pytest.raises(InputError, match="version 4"):
            device.open(device.box(client="c9a646d3-9c61-11b2-bf3a-000000000000"))

    @settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(plain=st.binary(max_size=300))
    def test_whatever_is_inside_the_answer_is_an_error_of_ours(self, device, plain):
        with pytest.raises(EpilockError):
            device.open(device.seal(plain))


class TestDestruction:
    def test_it_is_incomplete_until_the_lease_is_given_back(self, town, device):
        with town.parts.database.read() as tx:
            bucket = buckets.load(tx, "garden", device.lease.bucket)
            assert buckets.open_leases(tx, bucket, now=town.clock()) == [device.lease.lease]
        with town.parts.database.write() as tx:
            offline.end(tx, device.lease, now=town.clock())
            assert buckets.open_leases(tx, bucket, now=town.clock()) == []

    def test_what_was_sealed_dies_with_the_bucket(self, town, device):
        """The key hangs on a leaf of each part: it is gone with the first of them."""
        box = device.box()
        town.parts.keys.destroy(
            "garden", drops=[("garden/flu/residential-entry/2026-03-14", device.lease.parts[0])]
        )
        with pytest.raises(ErasedError):
            device.open(box)
