"""Backups in an S3-compatible store, under object lock: what was put can't be changed or removed until a day.

The client is boto3, which finds address, region and credentials by its own variables (``AWS_ENDPOINT_URL``,
``AWS_ACCESS_KEY_ID`` ...) or files; this program keeps none of them.

Rules kept in this file:
  1. A name is given once (``If-None-Match: *``); with versions the first one counts, so that who overwrites or
     deletes later, with the right to do so, takes nothing away.
  2. With a retention each object carries it from the start, in compliance mode: nobody can shorten it.
  3. No error repeats an address or a credential.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from epilock.backup.place import MOST_BYTES, PATH
from epilock.errors import InputError, NotFoundError, StateError, TooLargeError

ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9._-]{1,100}){0,8})/?")
MODE = "COMPLIANCE"
SECONDS = 30
ATTEMPTS = 5
_GONE = {"404", "NoSuchKey", "NoSuchVersion"}
_THERE = {"412", "PreconditionFailed"}


class Bucket:
    """A prefix of a bucket; see ``place.Place``.

    Args:
        address: ``s3://BUCKET/PREFIX``.
        until: Until when what is put is locked, or None: no lock is asked for.
    """

    def __init__(self, address: str, *, until: datetime | None = None) -> None:
        found = ADDRESS.fullmatch(address)
        if found is None:
            raise InputError("a store is given as s3://BUCKET/PREFIX, in ASCII letters and digits")
        self._bucket, self._prefix = found[1], found[2].lstrip("/")
        self.until = until
        self._client = _client()
        if until is not None:
            self._check_lock()

    def put(self, path: str, data: bytes) -> bool:
        """Add a file; see ``Place``."""
        lock: dict[str, Any] = {}
        if self.until is not None:
            lock = {"ObjectLockMode": MODE, "ObjectLockRetainUntilDate": self.until}
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=self._key(path), Body=data, IfNoneMatch="*",
                ChecksumAlgorithm="SHA256", **lock,
            )  # fmt: skip
        except ClientError as error:
            if _code(error) in _THERE:
                return False
            raise _said(path, error) from None
        except BotoCoreError as error:
            raise _said(path, error) from None
        return True

    def get(self, path: str, *, first: bool = False) -> bytes:
        """Return a file, or what was put first under its name; see ``Place``."""
        which = {"VersionId": self._first(path)} if first else {}
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=self._key(path), **which)
            data: bytes = found["Body"].read(MOST_BYTES + 1)
        except ClientError as error:
            if _code(error) in _GONE:
                raise NotFoundError(f"the backup has no file {path}") from None
            raise _said(path, error) from None
        except BotoCoreError as error:
            raise _said(path, error) from None
        if len(data) > MOST_BYTES:
            raise TooLargeError(f"{path} of the backup is larger than {MOST_BYTES} bytes")
        return data

    def names(self, folder: str) -> list[str]:
        """Return the names below ``folder``, also of what was deleted over its lock; see ``Place``."""
        prefix = f"{self._key(folder)}/"
        return sorted({each["Key"].removeprefix(prefix) for each in self._versions(prefix)})

    def settle(self) -> None:
        """Do nothing: what was answered is durable."""

    def renew(self, path: str) -> None:
        """Lock a file until the day that new ones are locked until.

        Raises:
            NotFoundError, InputError: It is not there, or the store does not do it.
        """
        try:
            self._client.put_object_retention(
                Bucket=self._bucket, Key=self._key(path), VersionId=self._first(path),
                Retention={"Mode": MODE, "RetainUntilDate": self.until},
            )  # fmt: skip
        except (ClientError, BotoCoreError) as error:
            raise _said(path, error) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Do nothing: of two backups at once one gets its number, and the other is refused."""
        yield

    def _check_lock(self) -> None:
        """Return if the bucket keeps objects locked.

        Raises:
            StateError: It does not.
            InputError: The store does not answer.
        """
        try:
            said = self._client.get_object_lock_configuration(Bucket=self._bucket)
        except ClientError as error:
            if _code(error) != "ObjectLockConfigurationNotFoundError":
                raise _said("the bucket", error) from None
            said = {}
        except BotoCoreError as error:
            raise _said("the bucket", error) from None
        if said.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            raise StateError(
                f"the bucket {self._bucket} has no object lock, which is set when a bucket is made; without it"
                " leave out --retain"
            )

    def _first(self, path: str) -> str:
        """Return the version that was put first under a name; they are listed the newest first."""
        key = self._key(path)
        found = [each["VersionId"] for each in self._versions(key) if each["Key"] == key]
        if not found:
            raise NotFoundError(f"the backup has no file {path}")
        return str(found[-1])

    def _versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("list_object_versions")
        try:
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                yield from page.get("Versions", [])
        except (ClientError, BotoCoreError) as error:
            raise _said("the list of files", error) from None

    def _key(self, path: str) -> str:
        if not PATH.fullmatch(path):
            raise InputError(f"{path!r} is no path of a backup")
        return f"{self._prefix}/{path}" if self._prefix else path


def _client() -> Any:
    told = Config(
        connect_timeout=SECONDS, read_timeout=SECONDS,
        retries={"max_attempts": ATTEMPTS, "mode": "standard"},
    )  # fmt: skip
    try:
        return boto3.client("s3", config=told)
    except (BotoCoreError, ValueError) as error:
        raise InputError(f"the store can't be used: {type(error).__name__}") from None


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _said(path: str, error: ClientError | BotoCoreError) -> InputError:
    """Return the error that names a file and what went wrong, and nothing else that a request holds."""
    why = _code(error) if isinstance(error, ClientError) else type(error).__name__
    return InputError(f"{path} of the backup: the store answers {why}")
