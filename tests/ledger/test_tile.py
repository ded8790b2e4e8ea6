"""What tiles promise: the names and cuts of C2SP tlog-tiles, one spelling each; and the edge that grows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import some

from epilock.errors import NotFoundError, ProofError
from epilock.ledger import tile, tree
from epilock.ledger.edge import Edge
from epilock.ledger.tile import ENTRIES, Tile
from epilock.ledger.tree import leaf_hash

LEAVES = [leaf_hash(str(i).encode()) for i in range(1500)]


class TestNames:
    @pytest.mark.parametrize(
        ("named", "path"),
        [
            (Tile(0, 0), "tile/0/000"),
            (Tile(0, 1234067), "tile/0/x001/x234/067"),
            (Tile(63, 999, 1), "tile/63/999.p/1"),
            (Tile(2, 1000, 255), "tile/2/x001/000.p/255"),
            (Tile(ENTRIES, 273, 112), "tile/entries/273.p/112"),
        ],
    )
    def test_both_ways(self, named, path):
        assert named.path() == path
        assert Tile.parse(path) == named

    @given(st.integers(-1, 63), st.integers(0, 2**55), st.integers(1, 256))
    def test_any(self, level, n, width):
        named = Tile(level, n, width)
        assert Tile.parse(named.path()) == named

    @pytest.mark.parametrize(
        "path",
        [
            "", "tile", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000",
            "tile/64/000", "tile/-1/000", "tile/0/x000/000", "tile/0/001/000", "tile/0/x001",
            "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p", "tile/0/000.p/",
            "tile/0/000/", "/tile/0/000", "tile/0/000\n", "tile/0/..", "tile/0/٠٠٠", "tile/data/000",
            "tile/0/../../checkpoint", "checkpoint", "tile/0/x1/000", "tile/0/x001/x234/067.p/5/",
        ],
    )  # fmt: skip
    def test_what_names_no_tile(self, path):
        with pytest.raises(NotFoundError):
            Tile.parse(path)

    @given(st.text(alphabet="tile/0123x.pens", max_size=40))
    def test_rubbish_is_refused_or_has_one_spelling(self, path):
        try:
            named = Tile.parse(path)
        except NotFoundError:
            return
        assert named.path() == path


class TestCuts:
    def test_the_specifications_example(self):
        """A tree of 70,000 entries."""
        cuts = list(tile.of_tree(70_000))
        assert [(c.level, c.n, c.width) for c in cuts if c.width < 256] == [
            (0, 273, 112), (1, 1, 17), (2, 0, 1),
        ]  # fmt: skip
        assert len(cuts) == 274 + 2 + 1
        assert [(c.level, c.n, c.width) for c in tile.of_tree(256)] == [(0, 0, 256), (1, 0, 1)]
        assert list(tile.of_tree(0)) == []

    @given(st.integers(0, 3000), st.integers(0, 3000))
    def test_what_is_new(self, one, other):
        since, size = sorted((one, other))
        both = set(tile.of_tree(since)) | set(tile.of_tree(size, since=since))
        assert set(tile.of_tree(size)) <= both
        assert set(tile.of_tree(size, since=since)) == set(tile.of_tree(size)) - set(
            tile.of_tree(since)
        )
        bundles = tile.bundles_of(size, since=since)
        held = {i for b in bundles for i in range(b.n * 256, b.n * 256 + b.width)}
        assert set(range(since, size)) <= held <= set(range(size))


class TestBundles:
    @given(st.lists(st.binary(max_size=300), max_size=20))
    def test_both_ways(self, entries):
        assert tile.unpack(tile.pack(entries), len(entries)) == entries

    @given(st.binary(max_size=60), st.integers(0, 5))
    def test_rubbish(self, data, width):
        try:
            entries = tile.unpack(data, width)
        except ProofError:
            return
        assert tile.pack(entries) == data

    def test_one_spelling(self):
        good = tile.pack(some(3))
        for bad in (good[:-1], good + b"x", good + b"\0\0", good[1:]):
            with pytest.raises(ProofError, match="exactly 3 entries"):
                tile.unpack(bad, 3)

    def test_whole_hashes(self):
        with pytest.raises(ProofError, match="whole hashes"):
            tile.split(bytes(33))


def reader(stored):
    return lambda wanted: stored[wanted.level, wanted.n][: wanted.width * tree.HASH_BYTES]


class TestEdge:
    @given(st.lists(st.integers(0, 400), max_size=6), st.integers(0, 5))
    def test_it_grows_as_the_tree_does(self, steps, reload_at):
        """However it was cut into batches, kept in memory or read back from its tiles."""
        edge, stored = Edge(), {}
        for step, count in enumerate(steps):
            first = edge.size
            grown = edge.extended(b"".join(LEAVES[first : first + count]))
            size = grown.size
            stored |= {(t.level, t.n): h for t, h in grown.tiles_since(first)}
            assert grown.root() == tree.root(LEAVES[:size])
            for index, path in zip(range(first, size), grown.paths(first), strict=True):
                tree.verify_inclusion(index, size, LEAVES[index], path, grown.root())
            loaded = Edge.load(size, reader(stored))
            assert loaded == grown.trimmed()
            assert {t for t, _ in loaded.partial_tiles()} == {
                t for t in tile.of_tree(size) if t.width < 256
            }
            edge = loaded if step == reload_at else grown
        assert set(stored) == {(t.level, t.n) for t in tile.of_tree(edge.size)}

    def test_it_stays_small(self):
        edge = Edge()
        for first in range(0, 1500, 50):
            edge = edge.extended(b"".join(LEAVES[first : first + 50])).trimmed()
            assert sum(len(row) for row in edge.rows) <= 2 * 511 * tree.HASH_BYTES

    def test_paths_as_text(self):
        edge = Edge().extended(b"".join(LEAVES[:100]))
        texts = edge.path_texts(90)
        assert [text.count("\n") for text in texts] == [len(path) for path in edge.paths(90)]
        assert Edge().paths(0) == Edge().path_texts(0) == []
