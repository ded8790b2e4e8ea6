"""Backups in a store with object lock: an independent implementation of S3, really served on loopback."""

import os
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from epilock.backup import key as keys
from epilock.backup import make as making
from epilock.backup import restore as restoring
from epilock.backup.bucket import Bucket
from epilock.backup.restore import Outside
from epilock.backup.snapshot import Repository
from epilock.errors import InputError, IntegrityError, NotFoundError, StateError

TOLD = {
    "AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up-too",
    "AWS_DEFAULT_REGION": "us-east-1",
}  # fmt: skip
DAYS = timedelta(days=30)


@pytest.fixture(scope="module")
def store():
    """A client of the server, beside ours; boto3's own variables say where it is."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    before = dict(os.environ)
    os.environ.update(TOLD, AWS_ENDPOINT_URL=f"http://{host}:{port}")
    client = boto3.client("s3")
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    client.create_bucket(Bucket="plain")
    yield client
    client.close()
    server.stop()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def address(store, tmp_path):
    return f"s3://locked/{tmp_path.name}"


def now():
    return datetime.now(UTC)


class Kept:
    """An estate whose backups lie in the store."""

    def __init__(self, estate, address):
        self.estate, self.address = estate, address

    def repository(self, until=None):
        place = Bucket(self.address, until=until)
        return Repository(place, keys.read(self.estate.key_file))

    def backup(self, until=None, at=None):
        told = self.estate.told(self.estate.home)
        return making.make(told, self.repository(until), self.estate.slots, now=at or now())

    def restore(self):
        return restoring.restore(
            self.repository(), self.estate.folder / "restored", self.estate.told,
            slots=self.estate.slots, root_key=self.estate.home / "root.key",
            outside=Outside(sources=[self.estate.publish()]), now=self.estate.clock(),
        )  # fmt: skip


@pytest.fixture
def kept(estate, address):
    return Kept(estate, address)


def objects(store, kept):
    prefix = kept.address.removeprefix("s3://locked/")
    pages = store.get_paginator("list_objects_v2").paginate(Bucket="locked", Prefix=prefix)
    return [each["Key"] for page in pages for each in page.get("Contents", [])]


def until(store, key):
    said = store.head_object(Bucket="locked", Key=key)
    assert said["ObjectLockMode"] == "COMPLIANCE"
    return said["ObjectLockRetainUntilDate"]


def test_it_comes_back(estate, kept):
    estate.give()
    first = kept.backup()
    second = kept.backup()
    assert (second.snapshot.number, second.new) == (2, 0)
    assert first.new > 0
    assert kept.restore().damage == []


class TestLocked:
    def test_nobody_can_take_a_backup_away(self, store, kept):
        """Not even with the store's own credentials, until the day."""
        kept.backup(until=now() + DAYS)
        for key in objects(store, kept):
            assert until(store, key) > now() + DAYS - timedelta(minutes=5)
            (version,) = store.list_object_versions(Bucket="locked", Prefix=key)["Versions"]
            with pytest.raises(ClientError, match="AccessDenied"):
                store.delete_object(Bucket="locked", Key=key, VersionId=version["VersionId"])

    def test_what_was_overwritten_or_deleted_is_read_as_it_was_put(self, store, kept):
        """Who may write into the store adds versions; the first one counts."""
        kept.backup(until=now() + DAYS)
        for n, key in enumerate(objects(store, kept)):
            if n % 2:
                store.put_object(Bucket="locked", Key=key, Body=b"ransom")
            else:
                store.delete_object(Bucket="locked", Key=key)
        assert kept.restore().damage == []

    def test_what_is_used_again_is_locked_again(self, store, kept):
        """A block of a month ago would else be free while the newest backup needs it."""
        kept.backup(until=now() + timedelta(days=2))
        kept.estate.give()
        made = kept.backup(until=now() + DAYS)
        assert made.snapshot.locked is not None
        needed = [k for k in objects(store, kept) if "/objects/" in k]
        for stored in made.snapshot.files.values():
            for name in kept.repository()._list(stored.lists[0]):
                (key,) = [k for k in needed if k.endswith(name)]
                assert until(store, key) > now() + DAYS - timedelta(minutes=5)

    def test_a_lock_that_is_long_enough_is_left(self, kept):
        first = kept.backup(until=now() + DAYS).snapshot.locked
        kept.estate.give()
        assert kept.backup(until=now() + DAYS).snapshot.locked == first

    def test_a_bucket_without_lock_is_refused(self, store):
        with pytest.raises(StateError, match="has no object lock"):
            Bucket("s3://plain/a", until=now() + DAYS)


class TestStore:
    def test_a_name_is_given_once(self, address):
        place = Bucket(address)
        assert place.put("objects/ab/abcd", b"one")
        assert not place.put("objects/ab/abcd", b"two")
        assert place.get("objects/ab/abcd") == b"one"
        with pytest.raises(NotFoundError, match="no file objects/ab/ef"):
            place.get("objects/ab/ef")
        with pytest.raises(NotFoundError):
            place.get("objects/ab/ef", first=True)

    def test_of_two_backups_at_once_one_gets_the_number(self, kept):
        made = kept.backup()
        with pytest.raises(StateError, match="there is a snapshot 1 already"):
            kept.repository().keep(made.snapshot)

    def test_a_block_that_was_never_right_is_named(self, store, kept):
        """Without a first version to go back to."""
        kept.backup()
        key = next(k for k in objects(store, kept) if "/objects/" in k)
        (version,) = store.list_object_versions(Bucket="locked", Prefix=key)["Versions"]
        store.delete_object(Bucket="locked", Key=key, VersionId=version["VersionId"])
        store.put_object(Bucket="locked", Key=key, Body=b"something else")
        with pytest.raises(IntegrityError, match="was altered"):
            kept.restore()

    @pytest.mark.parametrize(
        "address", ["s3://", "s3://UPPER/a", "s3://a/b?c", "s3://bucket/../a b"]
    )
    def test_an_address_is_checked(self, store, address):
        with pytest.raises(InputError, match="s3://BUCKET/PREFIX"):
            Bucket(address)

    def test_what_goes_wrong_names_no_credential(self, store):
        with pytest.raises(InputError, match="the store answers NoSuchBucket") as caught:
            Bucket("s3://nowhere/a").put("objects/ab/abcd", b"one")
        assert "made-up" not in str(caught.value)

    def test_paths_are_checked(self, address):
        with pytest.raises(InputError, match="no path of a backup"):
            Bucket(address).get("../secrets")
