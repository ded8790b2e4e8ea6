"""A log that is sealed and another that goes on, in one installation: nothing that was promised ends."""

import pytest

from epilock import assemble, inventory, settings
from epilock.destroy import certificate
from epilock.destroy import run as destruction
from epilock.errors import ClosedError, ConflictError, ProofError
from epilock.ledger import entry, policy, publish, regime, shards, succession, tile, tree
from epilock.ledger.audit import StandardRules
from epilock.ledger.checkpoint import parse
from epilock.ledger.folder import CHECKPOINT
from epilock.ledger.mirror import Mirror
from epilock.ledger.monitor import Monitor, rounds
from epilock.ledger.note import parse as parse_note
from epilock.ledger.proof import Proof
from epilock.ledger.proved import ProvedTree
from epilock.ledger.source import Folder
from epilock.ledger.verify import verify
from epilock.standard import load
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store.check import check
from epilock.verifier import alone

SECOND, THIRD = "log.example/2027", "log.example/2028"
RULES = StandardRules([load()])


class CrashError(Exception):
    """The machine stopped here."""


class Years:
    """A town whose log is succeeded; ``open`` starts its programs again."""

    def __init__(self, town, environ, home, tmp_path):
        self.town, self.clock, self.folder = town, town.clock, tmp_path
        self.told = settings.read(environ, home=home)

    @property
    def parts(self):
        return self.town.parts

    def reopen(self):
        self.parts.close()
        self.town.parts = assemble.build(self.told, now=self.clock)

    def succeed(self, origin, *, crash=False):
        following = assemble.successor(self.parts, origin)
        with self.parts.database.write() as tx:
            succession.succeed(
                tx,
                self.parts.log,
                following,
                standard_ref=self.parts.standard.ref,
                now=self.clock(),
            )
            if crash:
                raise CrashError

    def export(self):
        """Publish every log, each into its folder; return the folders."""
        found = []
        for log in shards.all_of(self.parts.log):
            found.append(self.folder / log.origin.replace("/", "-"))
            publish.write(self.parts.database, log, found[-1])
        return found

    def keys(self):
        return [log.signer.verifier for log in shards.all_of(self.parts.log)]

    def watch(self, *folders):
        made = []
        for each in folders:
            made.append(Monitor(Folder(each), self.keys(), RULES, earlier=tuple(made)))
        return made

    def found(self, *folders):
        """What a stranger who follows these folders finds now: kinds and what they are about, by log."""
        reports = rounds(self.watch(*folders), self.clock())
        return [[(f.kind, f.about) for f in report.findings] for report in reports]

    def damage(self):
        parts = self.parts
        return [
            *check(parts.database, parts.keys, parts.log), *inventory.check(parts.database, parts.log),
        ]  # fmt: skip


@pytest.fixture
def years(town, environ, home, tmp_path):
    return Years(town, environ, home, tmp_path)


def announce(years, *keys):
    """Announce a policy that lists these logs and asks for no witness; return what it says."""
    text = "".join(f"log {key}\n" for key in keys) + "quorum none\n"
    with years.parts.database.write() as tx:
        regime.announce(
            tx, years.parts.log, standard_ref=years.parts.standard.ref, text=text.encode(),
            since=years.clock().astimezone(CHINA).date(), now=years.clock(),
        )  # fmt: skip
    return policy.parse(text.encode())


def from_mirror(folder, index):
    """Make the proof of an entry anew from a mirror's files and nothing else."""
    signed = (folder / CHECKPOINT).read_text()
    said = parse(parse_note(signed)[0])
    proved = ProvedTree(Folder(folder), said)
    path = tree.inclusion_path(index, said.size, proved.node)
    bundle = Folder(folder).read(f"tile/entries/000.p/{said.size}")
    entry_ = tile.unpack(bundle, said.size)[index]
    return Proof(index, tuple(path), signed, entry_).text()


def test_from_one_log_to_the_next(years):
    """Collected in the first, destroyed in the second; each receipt verifies for ever, the story too."""
    (kept, lost) = years.town.store(years.town.accepted(), years.town.accepted())
    coming = assemble.successor(years.parts, SECOND).signer
    of_its_day = announce(years, years.parts.log.signer.vkey, coming.vkey)
    first = years.parts.log
    years.succeed(SECOND)
    years.reopen()
    assert [log.origin for log in shards.all_of(years.parts.log)] == [first.origin, SECOND]
    assert years.parts.log.signer.vkey == coming.vkey
    assert years.damage() == []

    years.clock.forward(days=1)
    (late,) = years.town.store()
    with years.parts.database.read() as tx:
        assert (
            entry.kind(entry.decode(shards.entry_at(tx, years.parts.log, late.index))) == "collect"
        )
        in_force = regime.in_force(tx, years.parts.log, years.clock().date())
    assert in_force is not None  # the policy lists both logs, so the new one began with it

    old, new = years.export()
    mirror = years.folder / "mirror"
    Mirror(Folder(old), [first.signer.verifier], mirror).round(years.clock())
    assert years.found(old, new) == [[], []]
    assert years.found(old) == [[("goes-on", SECOND)]]
    assert years.found(new) == [[("history-missing", first.origin)]]

    years.clock.forward(days=60)
    due = [(kind, about.rpartition("/")[2]) for kind, about in years.found(old, new)[1]]
    assert {kind for kind, _ in due} == {"overdue"}  # of both days, and told where it is going on
    assert len({about.split()[0] for _, about in due}) == 2
    destruction.run(years.parts.tools, now=years.clock())
    assert years.parts.log.origin == SECOND
    old, new = years.export()
    assert years.found(old, new) == [[], []]
    assert years.damage() == []

    receipt = from_mirror(mirror, kept.index)
    assert verify(receipt, policy=of_its_day).index == kept.index
    verify(kept.proof, policy=of_its_day)
    record, _ = shards.at(years.parts.log, kept.index)
    assert record.origin == first.origin
    with years.parts.database.read() as tx:
        bucket = buckets.load_by_name(tx, "garden", kept.bucket)
        proofs = certificate.prove(tx, years.parts.log, "garden", bucket.id, kept.n)
    texts = [each.text for each in proofs]
    gone = certificate.check_all(receipt, texts, years.keys())
    assert {each.origin for each in gone} == {SECOND}
    trust = alone.Trust([alone.read_key(log.signer.vkey) for log in shards.all_of(years.parts.log)])
    told = alone.check_destruction(receipt.encode(), [t.encode() for t in texts], trust)
    assert {part for part, *_ in told["gone"]} == {each.part for each in gone}
    without = [each.text for each in proofs if each.kind != certificate.LOG]
    with pytest.raises(ProofError, match="none is shown to go on"):
        certificate.check_all(receipt, without, years.keys())
    assert lost.index == kept.index + 1


def test_a_crash_leaves_one_open_log(years):
    """Not done: the old log goes on as if nothing had been. Done: repeating it changes nothing."""
    assemble.successor(years.parts, SECOND)  # its key alone, which is harmless
    with pytest.raises(CrashError):
        years.succeed(SECOND, crash=True)
    years.town.store()
    years.reopen()
    assert years.parts.log.origin != SECOND
    years.town.store()
    years.succeed(SECOND)
    with pytest.raises(ClosedError, match="started again"):
        years.town.parts.keeper.store((years.town.accepted(),), now=years.clock)
    with pytest.raises(ClosedError):
        years.succeed(THIRD)  # by a program that has not been started again
    years.reopen()
    with pytest.raises(ConflictError, match="already"):
        years.succeed(SECOND)
    years.town.store()
    assert years.found(*years.export()) == [[], []]


def test_a_third_log(years):
    """Positions are counted over all of them; a stranger follows all three."""
    places = [years.town.store()[0].index]
    for origin in (SECOND, THIRD):
        years.succeed(origin)
        years.reopen()
        years.clock.forward(days=1)
        places.append(years.town.store()[0].index)
    where = [shards.at(years.parts.log, place) for place in places]
    assert [log.origin for log, _ in where][1:] == [SECOND, THIRD]
    assert places == sorted(places)
    assert years.found(*years.export()) == [[], [], []]
    assert years.damage() == []
    years.clock.forward(days=60)
    destruction.run(years.parts.tools, now=years.clock())
    assert years.found(*years.export()) == [[], [], []]
