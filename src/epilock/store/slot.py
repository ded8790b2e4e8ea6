"""The epoch slot: one small file of an organisation that makes old copies of its keys useless.

Every key of an organisation hangs from its *epoch key*; the epoch key lies here, wrapped by the root
key, and nowhere else. A destruction run makes a new epoch key, rewraps what lives under it in the key
database, then overwrites the old one here. The slot is replicated, never archived.

The file has two cells of 4,096 bytes, each on pages of its own, so that writing one can't harm the
other. A cell is ``magic (16) | epoch (8) | length (2) | wrapped epoch key | BLAKE2s-128 of all before``
and zeros; all zeros is empty. The steps of a rotation, and what a crash leaves:

  1. ``next`` writes the new epoch into the free cell and syncs.   Crash before or while: the cell is
     empty or torn, and torn counts as empty. Nothing happened.
  2. The key database commits; its row of the epoch decides which cell counts.  Crash before the
     commit: both cells are whole and the database names the old one; ``keep`` wipes the new one.
  3. ``keep`` overwrites the old cell with zeros and syncs.   Crash before or while: both cells, or one
     and a torn one, and the database names the new; the next ``keep`` wipes what is left.

Rules kept in this file:
  1. A cell is overwritten in place and synced; the file is never replaced once it is there, so that
     no copy of an old cell is left behind by this program.
  2. Whoever writes holds the lock of the file (``flock``: between threads and between processes).
  3. Readers need no lock: they take the epoch that the database's row names. The cells are read one
     after the other, so that a rotation in between can leave a reader without any: it reads again, until two
     readings are alike. (That rotations cut two alike takes three of them between four reads of a cell.)
"""

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_SH, flock
from hashlib import blake2s
from pathlib import Path

from epilock import durable
from epilock.errors import KeysError
from epilock.store.root import RootKey
from epilock.store.suite import KEY_BYTES

MAGIC = b"epilock/slot/v1\0"
CELL = 4096
EMPTY = bytes(CELL)
_HEAD = struct.Struct(">16sQH")
_SUM_BYTES = 16

Step = Callable[[str], None]


def go_on(step: str) -> None:
    """Do nothing; tests pass a function that fails at the named ``step``."""


@contextmanager
def storing(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """Hold the slots' folder from before something new is wrapped until it is stored.

    Who renews the root key takes it ``alone`` once, when the next key is there: all that the old one
    wrapped is stored then, and found (``root.renewal``). What is wrapped under a slot's own lock needs it not.
    """
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.sync(folder.parent)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flock(fd, LOCK_EX if alone else LOCK_SH)
        yield
    finally:
        os.close(fd)


class Slot:
    """The slot of one organisation.

    Args:
        path: ``<folder>/<org>.slot``.
        org: The organisation; stands in the context of the wrapping.
        root: The root key.
        step: Called with the name of each effect before ("... ") and after ("... done") it.
    """

    def __init__(self, path: Path, org: str, root: RootKey, *, step: Step = go_on) -> None:
        self.path = path
        self._root = root
        self._step = step
        self._scope = f"epilock/epoch/v1|{org}"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the slot, made with epoch 1 if it is not there, against other writers."""
        if not self.path.exists():
            self._make()
        fd = os.open(self.path, os.O_RDWR)
        try:
            flock(fd, LOCK_EX)
            yield
        finally:
            os.close(fd)

    def read(self) -> dict[int, bytes]:
        """Return the epoch keys that are there, by epoch: one, or two in the middle of a rotation.

        Raises:
            KeysError: The slot is missing, or none of its cells is whole.
            RootKeyError: Another root key wrapped it.
            TamperedError: A whole cell was altered or belongs to another organisation.
        """
        cells = self._cells()
        while True:
            try:
                return self._open(cells)
            except KeysError:  # unless it was written since it was read (rule 3)
                before, cells = cells, self._cells()
                if cells == before:
                    raise

    def next(self, epoch: int, *, current: int) -> bytes:
        """Make the key of a new ``epoch`` in the cell that ``current`` does not use; return the key."""
        parsed = [parse(cell) for cell in self._cells()]
        unused = (i for i, cell in enumerate(parsed) if cell is None or cell[0] != current)
        free = next(unused, 0)  # a move that was broken off leaves the current epoch in both
        key = os.urandom(KEY_BYTES)
        self._step("next")
        self._write(free, self._cell(epoch, key))
        self._step("next done")
        return key

    def keep(self, epoch: int) -> None:
        """Overwrite with zeros whatever is not the cell of ``epoch``; the last step of a rotation.

        What the root key wrapped other epochs under goes then, if it had anything of its own for them.
        """
        wiped = False
        for i, cell in enumerate(self._cells()):
            parsed = parse(cell)
            if cell != EMPTY and (parsed is None or parsed[0] != epoch):
                self._step("keep")
                self._write(i, EMPTY)
                self._step("keep done")
                wiped = True
        if wiped:
            self.forget_others(epoch)

    def rewrap(self, is_done: Callable[[bytes, bytes], bool]) -> None:
        """Wrap the epoch key anew, unless ``is_done`` says of a cell's wrapped key and context that it is.

        The new cell is written beside the old one, which is overwritten then; see ``root.moving``.

        Raises:
            KeysError: There are two epochs: a rotation has to be settled first.
        """
        whole = {i: cell for i, raw in enumerate(self._cells()) if (cell := parse(raw)) is not None}
        if len({epoch for epoch, _ in whole.values()}) != 1:
            raise KeysError(
                f"{self.path.name} is in the middle of a rotation, or has no whole cell"
            )
        epoch = next(iter(whole.values()))[0]
        context = self._context(epoch)
        good = next((i for i, (_, wrapped) in whole.items() if is_done(wrapped, context)), None)
        if good is None:
            i, (_, wrapped) = next(iter(whole.items()))
            good = 1 - i
            self._step("rewrap")
            self._write(good, self._cell(epoch, self._unwrap(epoch, wrapped)))
            self._step("rewrap done")
        if self._cells()[1 - good] != EMPTY:
            self._step("wipe")
            self._write(1 - good, EMPTY)
            self._step("wipe done")
        self.forget_others(epoch)

    def forget_others(self, epoch: int) -> None:
        """Let the root key destroy what it wrapped other epochs under; repeating is harmless.

        While a move that was broken off leaves the epoch in both cells, nothing goes: either may count.
        """
        whole = [cell for cell in map(parse, self._cells()) if cell is not None]
        if len(whole) == 1 and whole[0][0] == epoch:
            self._root.keep(self._scope, whole[0][1])

    def holds_only(self, epoch: int) -> bool:
        """Tell whether there is nothing in the file but the whole cell of ``epoch``."""
        cells = sorted(self._cells())  # the empty one first
        parsed = parse(cells[1])
        if cells[0] != EMPTY or parsed is None or parsed[0] != epoch:
            return False
        end = _HEAD.size + len(parsed[1]) + _SUM_BYTES
        return cells[1][end:] == EMPTY[end:]

    def _make(self) -> None:
        """Make the file whole or not at all; if another process is first, its file counts.

        The lock is held from before the file has its name until the name is durable, so that nobody
        wraps a key under an epoch that a power failure could still take away.
        """
        with storing(self.path.parent):
            draft = self.path.with_name(f".{self.path.name}.{os.urandom(6).hex()}")
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(fd, self._cell(1, os.urandom(KEY_BYTES)) + EMPTY)
                os.fsync(fd)
                flock(fd, LOCK_EX)
                with suppress(FileExistsError):
                    os.link(draft, self.path)
                draft.unlink()
                durable.sync(self.path.parent)
            finally:
                os.close(fd)

    def _cells(self) -> tuple[bytes, bytes]:
        try:
            fd = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            raise KeysError(
                f"{self.path.name} is missing; put back a replica of the slot"
            ) from None
        try:
            if os.fstat(fd).st_size != 2 * CELL:
                raise KeysError(
                    f"{self.path.name} must be {2 * CELL} bytes; put back a replica of it"
                )
            first = os.pread(fd, CELL, 0)
            self._step("read between")
            return first, os.pread(fd, CELL, CELL)
        finally:
            os.close(fd)

    def _open(self, cells: Iterable[bytes]) -> dict[int, bytes]:
        found = {cell[0]: cell[1] for cell in map(parse, cells) if cell is not None}
        if not found:
            raise KeysError(f"{self.path.name}: no whole epoch key; put back a replica of the slot")
        return {epoch: self._unwrap(epoch, wrapped) for epoch, wrapped in found.items()}

    def _write(self, i: int, cell: bytes) -> None:
        fd = os.open(self.path, os.O_WRONLY)
        try:
            if os.pwrite(fd, cell, i * CELL) != CELL:
                raise KeysError(f"{self.path.name} could not be written: no space left?")
            os.fsync(fd)
        finally:
            os.close(fd)

    def _cell(self, epoch: int, key: bytes) -> bytes:
        wrapped = self._root.wrap(key, self._context(epoch), scope=self._scope)
        body = _HEAD.pack(MAGIC, epoch, len(wrapped)) + wrapped
        return (body + blake2s(body, digest_size=_SUM_BYTES).digest()).ljust(CELL, b"\0")

    def _unwrap(self, epoch: int, wrapped: bytes) -> bytes:
        return self._root.unwrap(wrapped, self._context(epoch))

    def _context(self, epoch: int) -> bytes:
        return f"{self._scope}|{epoch}".encode()


def parse(cell: bytes) -> tuple[int, bytes] | None:
    """Return epoch and wrapped key of a whole cell; None if it is empty or torn."""
    magic, epoch, length = _HEAD.unpack_from(cell)
    end = _HEAD.size + length
    if magic != MAGIC or end + _SUM_BYTES > CELL:
        return None
    if blake2s(cell[:end], digest_size=_SUM_BYTES).digest() != cell[end : end + _SUM_BYTES]:
        return None
    return epoch, cell[_HEAD.size : end]
