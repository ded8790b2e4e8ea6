"""Made-up failures: each effect on disk, database or network fails once *not done*, and once *done but reported failed*.

The effects of a piece of work are counted in a first run; then it is done anew for each of them and each way
to fail. What lies between the program and the machine is replaced for that time: the functions of ``os``
that write, the writing of files, statements and commits. The program itself is as it is.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from epilock.db import Database, Transaction

OF_OS = ("replace", "mkdir", "unlink", "rmdir")
CHANGING = ("INSERT", "UPDATE", "DELETE")


class BrokenError(OSError):
    """What the machine says."""


class Effects:
    """Counts effects; lets one of them fail.

    Attributes:
        names: Every effect so far, in order.
        at: Number of the one that fails; None if none does.
        done: Whether it is done nevertheless.
    """

    def __init__(self, at: int | None = None, *, done: bool = False) -> None:
        self.names: list[str] = []
        self.at, self.done = at, done

    def begin(self, name: str) -> int:
        """Count an effect that is about to happen; return its number."""
        self.names.append(name)
        self._fail(len(self.names) - 1, done=False)
        return len(self.names) - 1

    def end(self, number: int) -> None:
        """Say that it has happened."""
        self._fail(number, done=True)

    def of(self, name: str, do: Callable) -> Callable:
        """Return ``do`` as an effect."""

        def doing(*given, **named):
            number = self.begin(name)
            result = do(*given, **named)
            self.end(number)
            return result

        return doing

    def _fail(self, number: int, *, done: bool) -> None:
        if number == self.at and done == self.done:
            raise BrokenError(f"{self.names[number]} fails, {'done' if done else 'not done'}")

    @contextmanager
    def watching(self, database: Database | None = None) -> Iterator[None]:
        """Stand between the program and the machine."""
        with pytest.MonkeyPatch.context() as patch:
            for name in OF_OS:
                patch.setattr(os, name, self.of(name, getattr(os, name)))
            patch.setattr(
                os, "fsync", self.of("fsync", lambda _handle: None)
            )  # a test sees no difference
            patch.setattr(Path, "open", self._open(Path.open))
            patch.setattr(Transaction, "bulk", self.of("rows", Transaction.bulk))
            patch.setattr(Transaction, "run", self.of("statement", Transaction.run))
            patch.setattr(Database, "write", self._write(Database.write))
            with self._statements(database):
                yield

    def _open(self, open_: Callable) -> Callable:
        def opening(path, mode="r", **how):
            file = open_(path, mode, **how)
            return _File(file, self) if mode == "wb" else file

        return opening

    def _write(self, write: Callable) -> Callable:
        @contextmanager
        def writing(database):
            with write(database) as tx:
                yield tx
                number = self.begin("commit")
            self.end(number)

        return writing

    @contextmanager
    def _statements(self, database: Database | None) -> Iterator[None]:
        def before(_conn, _cursor, statement, _values, context, _many):
            if statement.startswith(CHANGING):
                context.number = self.begin("statement")

        def after(_conn, _cursor, statement, _values, context, _many):
            if statement.startswith(CHANGING):
                self.end(context.number)

        listeners = (("before_cursor_execute", before), ("after_cursor_execute", after))
        for name, listener in listeners if database else ():
            sa.event.listen(database.engine, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners if database else ():
                sa.event.remove(database.engine, name, listener)


class _File:
    """An open file whose writing is an effect."""

    def __init__(self, file, effects: Effects) -> None:
        self._file = file
        self.write = effects.of("write", file.write)

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *error):
        return self._file.__exit__(*error)

    def __getattr__(self, name):
        return getattr(self._file, name)


@contextmanager
def reported(effects: Effects) -> Iterator[None]:
    """Expect the failure; only of a folder that is there nevertheless nobody needs to be told."""
    try:
        yield
    except BrokenError:
        return
    assert effects.names[effects.at] == "mkdir", (
        f"nobody was told that {effects.names[effects.at]} failed"
    )


def every_failure(work: Callable[[Effects], None], again: Callable[[Effects], None]) -> list[str]:
    """Do ``work``, then ``again`` with each of its effects failing in each way; return their names.

    ``again`` starts from a fresh copy, and checks what is left and that the next round repairs it.
    """
    first = Effects()
    work(first)
    for at in range(len(first.names)):
        for done in (False, True):
            again(Effects(at, done=done))
    return first.names


def fresh(template: Path, folder: Path) -> Path:
    """Make ``folder`` a copy of ``template``, whatever it was; return it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    return folder
