"""Whatever becomes of a record, both verifiers tell the same story of it, part by part."""

from base64 import b64encode

from hypothesis import example, given, settings
from hypothesis import strategies as st

from epilock.destroy import certificate
from epilock.errors import EpilockError
from epilock.ledger import entry as e
from epilock.ledger import note, tree
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.note import Signer
from epilock.ledger.verify import STEPS, failed_step
from epilock.verifier import alone

MANY = settings(max_examples=300)
LOG = Signer.from_seed("log.example/stories", b"\x08" * 32)
TRUST = alone.Trust([alone.read_key(LOG.vkey)])
COMMON = {"standard": "2026.1+0123456789abcdef"}
AT = {"at": "2026-04-11T16:00:00Z"}
BUCKETS = ("sunny/outbreak-7/quarantine/2026-03-14", "sunny/outbreak-7/quarantine/2026-03-20")
PARTS = ("2-IV", "3-II")
orgs = st.sampled_from(["sunny", "sunny", "sunny", "lishan"])
buckets = st.sampled_from(BUCKETS)
numbers = st.integers(0, 2)
parts = st.sampled_from([PARTS, PARTS[:1], PARTS[1:]])


def collect(org, bucket, n, those):
    return e.Collect(
        org=org, point="sunny.k3f7q2", bucket=bucket, n=n, notice="0" * 64, parts=those,
        commitment="1" * 64, **COMMON,
    )  # fmt: skip


def erased(org, bucket, n, those):
    return e.Erased(
        org=org, erasure="e-k3f7q2xw5mza", bucket=bucket, n=n, parts=those, **COMMON, **AT
    )


def event(org, bucket, n, to_bucket, to_n):
    return e.Event(
        org=org, bucket=bucket, n=n, event="release", day="2026-03-20", to_bucket=to_bucket,
        to_n=to_n, **COMMON, **AT,
    )  # fmt: skip


def correct(org, bucket, n, by_bucket, by_n):
    return e.Correct(org=org, bucket=bucket, n=n, by_bucket=by_bucket, by_n=by_n, **COMMON, **AT)


def certified(org, bucket, those, span, complete):
    return e.Certificate(
        org=org, destruction="x-k3f7q2xw5mza", bucket=bucket, parts=those, first=min(span), last=max(span),
        collected=3, erased=0, destroyed=3, leases=() if complete else ("l-k3f7q2xw5mza",),
        complete=complete, **COMMON, **AT,
    )  # fmt: skip


entries = st.one_of(
    st.builds(collect, orgs, buckets, numbers, parts),
    st.builds(erased, orgs, buckets, numbers, parts),
    st.builds(event, orgs, buckets, numbers, buckets, numbers),
    st.builds(correct, orgs, buckets, numbers, buckets, numbers),
    st.builds(certified, orgs, buckets, parts, st.tuples(numbers, numbers), st.sampled_from([True, True, False])),
)  # fmt: skip
FIRST = collect("sunny", BUCKETS[0], 0, PARTS)


def encoded(each):
    return each if isinstance(each, bytes) else e.encode(each)


def proofs(story):
    """The proof of each entry of a log that holds the story: entries, or bytes that may be none."""
    data = [encoded(each) for each in story]
    hashes = [tree.leaf_hash(each) for each in data]
    signed = note.sign(Checkpoint(LOG.name, len(data), tree.root(hashes)).text(), [LOG])

    def read(height, n):
        return tree.root(hashes[n << height : n + 1 << height])

    for index, each in enumerate(data):
        path = tree.inclusion_path(index, len(data), read)
        lines = ["c2sp.org/tlog-proof@v1", f"extra {b64encode(each).decode()}", f"index {index}"]
        lines += [b64encode(hash_).decode() for hash_ in path]
        yield ("\n".join(lines) + "\n\n" + signed).encode()


ENDS = [certified("sunny", bucket, PARTS, (0, 2), complete=True) for bucket in BUCKETS]
stories = st.builds(list.__add__, st.lists(entries, max_size=9), st.sampled_from([[], ENDS]))


@MANY
@given(stories, st.integers(0, 3), st.data())
@example(ENDS, 0, None)
def test_both_tell_the_same(after, before, data):
    earlier = data.draw(st.lists(entries, min_size=before, max_size=before)) if data else []
    files = list(proofs([*earlier, FIRST, *after]))
    receipt = files[before]
    shown = data.draw(st.permutations(files)) if data else files
    assert told_by_the_program(receipt, shown) == told_alone(receipt, shown)


def told_by_the_program(receipt, shown):
    try:
        gone = certificate.check_all(receipt, shown, [LOG.verifier])
    except EpilockError as error:
        return [*STEPS].index(failed_step(error)) + 1
    return sorted([g.part, *g.place, g.index, g.at] for g in gone)


def told_alone(receipt, shown):
    try:
        return alone.check_destruction(receipt, shown, TRUST)["gone"]
    except alone.Failure as failure:
        return failure.args[0]
