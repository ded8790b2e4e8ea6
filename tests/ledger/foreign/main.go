// Foreign is the other side of the ledger's tests: notes, trees, tiles and proofs as the Go project's own
// packages make and read them (golang.org/x/mod/sumdb/note and tlog, which the C2SP formats come from).
//
// It reads one request a line on standard input, JSON, and answers each with a line. Nothing of Epilock is in
// it: of the formats only what those packages do not have is written here, which is the layout of C2SP
// tlog-tiles and the message of an Ed25519 cosignature.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height      = 8
	width       = 1 << height
	cosignature = 4
)

type request struct {
	Do     string
	Note   []byte   // a signed note
	Keys   []string // verifier keys
	Folder string   // a published log
	Every  int64    // prove each entry whose index is a multiple
	Older  [][]byte // signed checkpoints that must be consistent with the folder's
	Origin string
	Seed   []byte
	Sizes  []int64 // of trees that are made
	Index  int64
	Old    int64
	Size   int64
	Leaf   []byte
	Root   []byte
	Was    []byte // root of the old tree
	Path   [][]byte
}

type answer struct {
	Error  string   `json:"error"` // empty if all holds
	Text   string   `json:"text"`
	Names  []string `json:"names"` // of the keys whose signatures hold
	Size   int64    `json:"size"`
	Root   []byte   `json:"root"`
	Proved int      `json:"proved"` // entries and older checkpoints
	Key    string   `json:"key"`
	Notes  []string `json:"notes"`
	Proofs [][]byte `json:"proofs"`
}

// cosigner verifies timestamped Ed25519 cosignatures (c2sp.org/tlog-cosignature).
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }
func (c *cosigner) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(sig)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return ed25519.Verify(c.key, []byte(message), sig[8:])
}

func verifiers(keys []string) (note.Verifiers, error) {
	var list []note.Verifier
	for _, text := range keys {
		v, err := note.NewVerifier(text)
		if err != nil {
			v, err = newCosigner(text)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return note.VerifierList(list...), nil
}

func newCosigner(text string) (note.Verifier, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("malformed verifier key")
	}
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) != 1+ed25519.PublicKeySize || data[0] != cosignature {
		return nil, errors.New("not an Ed25519 cosigner's key")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), data...))
	hash := binary.BigEndian.Uint32(sum[:])
	if fmt.Sprintf("%08x", hash) != parts[1] {
		return nil, errors.New("key id does not fit the key")
	}
	return &cosigner{parts[0], hash, data[1:]}, nil
}

func open(data []byte, keys []string) (*note.Note, error) {
	known, err := verifiers(keys)
	if err != nil {
		return nil, err
	}
	return note.Open(data, known)
}

func checkpoint(data []byte, keys []string) (tree tlog.Tree, err error) {
	opened, err := open(data, keys)
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return tree, errors.New("not a checkpoint")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// c2sp returns the path at which C2SP tlog-tiles serves a tile of height 8.
func c2sp(tile tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
}

func bundlePath(n int64, w int) string {
	return strings.Replace(c2sp(tlog.Tile{H: height, L: 0, N: n, W: w}), "tile/0/", "tile/entries/", 1)
}

// folder reads the tiles of a published log.
type folder string

func (f folder) Height() int                         { return height }
func (f folder) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (f folder) ReadTiles(tiles []tlog.Tile) (found [][]byte, err error) {
	for _, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(string(f), c2sp(tile)))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func (f folder) entries(size int64) (all [][]byte, err error) {
	for first := int64(0); first < size; first += width {
		w := width
		if size-first < width {
			w = int(size - first)
		}
		data, err := os.ReadFile(filepath.Join(string(f), bundlePath(first/width, w)))
		if err != nil {
			return nil, err
		}
		for i := 0; i < w; i++ {
			if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
				return nil, errors.New("a bundle is cut off")
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			all = append(all, data[2:end])
			data = data[end:]
		}
		if len(data) != 0 {
			return nil, errors.New("a bundle has more than its entries")
		}
	}
	return all, nil
}

// readLog reads a whole published folder as a stranger would: nothing is believed but the signature.
func readLog(asked request) (told answer, err error) {
	signed, err := os.ReadFile(filepath.Join(asked.Folder, "checkpoint"))
	if err != nil {
		return told, err
	}
	tree, err := checkpoint(signed, asked.Keys)
	if err != nil {
		return told, err
	}
	tiles := folder(asked.Folder)
	reader := tlog.TileHashReader(tree, tiles)
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return told, err
	}
	entries, err := tiles.entries(tree.N)
	if err != nil {
		return told, err
	}
	for i, entry := range entries {
		leaf := tlog.RecordHash(entry)
		hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(i))})
		if err != nil || hashes[0] != leaf {
			return told, fmt.Errorf("entry %d is not in its tile: %v", i, err)
		}
		if int64(i)%asked.Every != 0 {
			continue
		}
		proof, err := tlog.ProveRecord(tree.N, int64(i), reader)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, int64(i), leaf)
		}
		if err != nil {
			return told, err
		}
		told.Proved++
	}
	for _, text := range asked.Older {
		older, err := checkpoint(text, asked.Keys)
		if err != nil {
			return told, err
		}
		proof, err := tlog.ProveTree(tree.N, older.N, reader)
		if err == nil {
			err = tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash)
		}
		if err != nil {
			return told, err
		}
		told.Proved++
	}
	told.Size, told.Root = tree.N, root[:]
	return told, nil
}

// stored is a tree in memory.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) (found []tlog.Hash, err error) {
	for _, i := range indexes {
		found = append(found, s[i])
	}
	return found, nil
}

// makeLog makes a log of entries `record 0`, `record 1` ..., and publishes the largest of the wanted sizes.
func makeLog(asked request) (told answer, err error) {
	secret := ed25519.NewKeyFromSeed(asked.Seed)
	public, err := note.NewEd25519VerifierKey(asked.Origin, secret.Public().(ed25519.PublicKey))
	if err != nil {
		return told, err
	}
	told.Key = public
	hash := strings.Split(public, "+")[1]
	encoded := base64.StdEncoding.EncodeToString(append([]byte{1}, asked.Seed...))
	signer, err := note.NewSigner("PRIVATE+KEY+" + asked.Origin + "+" + hash + "+" + encoded)
	if err != nil {
		return told, err
	}
	var hashes stored
	var bundle bytes.Buffer
	largest := asked.Sizes[len(asked.Sizes)-1]
	for i := int64(0); i < largest; i++ {
		entry := []byte(fmt.Sprintf("record %d", i))
		more, err := tlog.StoredHashes(i, entry, hashes)
		if err != nil {
			return told, err
		}
		hashes = append(hashes, more...)
		binary.Write(&bundle, binary.BigEndian, uint16(len(entry)))
		bundle.Write(entry)
		if (i+1)%width == 0 || i+1 == largest {
			if err := put(asked.Folder, bundlePath(i/width, int(i%width)+1), bundle.Bytes()); err != nil {
				return told, err
			}
			bundle.Reset()
		}
	}
	for _, tile := range tlog.NewTiles(height, 0, largest) {
		if tile.W < width && tile.N*width+int64(tile.W) != largest>>(height*tile.L) {
			continue // a partial tile of a smaller tree
		}
		data, err := tlog.ReadTileData(tile, hashes)
		if err == nil {
			err = put(asked.Folder, c2sp(tile), data)
		}
		if err != nil {
			return told, err
		}
	}
	for _, size := range asked.Sizes {
		root, err := tlog.TreeHash(size, hashes)
		if err != nil {
			return told, err
		}
		text := fmt.Sprintf("%s\n%d\n%s\n", asked.Origin, size, root)
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		if err != nil {
			return told, err
		}
		told.Notes = append(told.Notes, string(signed))
	}
	last := told.Notes[len(told.Notes)-1]
	return told, put(asked.Folder, "checkpoint", []byte(last))
}

func put(folder, name string, data []byte) error {
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o666)
}

func hash(data []byte) (h tlog.Hash) {
	copy(h[:], data)
	return h
}

func path(hashes [][]byte) (all []tlog.Hash) {
	for _, each := range hashes {
		all = append(all, hash(each))
	}
	return all
}

// proof makes a proof in a tree whose leaf hashes are the path that was sent.
func proof(asked request) (told answer, err error) {
	var hashes stored
	for i, leaf := range asked.Path {
		more, err := tlog.StoredHashesForRecordHash(int64(i), hash(leaf), hashes)
		if err != nil {
			return told, err
		}
		hashes = append(hashes, more...)
	}
	var found []tlog.Hash
	if asked.Old > 0 {
		found, err = tlog.ProveTree(int64(len(asked.Path)), asked.Old, hashes)
	} else {
		found, err = tlog.ProveRecord(int64(len(asked.Path)), asked.Index, hashes)
	}
	for i := range found {
		told.Proofs = append(told.Proofs, found[i][:])
	}
	return told, err
}

func serve(asked request) (told answer, err error) {
	switch asked.Do {
	case "note":
		opened, err := open(asked.Note, asked.Keys)
		if err != nil {
			return told, err
		}
		told.Text = opened.Text
		for _, each := range opened.Sigs {
			told.Names = append(told.Names, each.Name)
		}
		return told, nil
	case "inclusion":
		return told, tlog.CheckRecord(path(asked.Path), asked.Size, hash(asked.Root), asked.Index, hash(asked.Leaf))
	case "consistency":
		return told, tlog.CheckTree(path(asked.Path), asked.Size, hash(asked.Root), asked.Old, hash(asked.Was))
	case "proof":
		return proof(asked)
	case "read":
		return readLog(asked)
	case "make":
		return makeLog(asked)
	}
	return told, errors.New("no such request")
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked request
		told := answer{}
		if err = json.Unmarshal(line, &asked); err == nil {
			told, err = serve(asked)
		}
		if err != nil {
			told = answer{Error: err.Error()}
		}
		out.Encode(told)
	}
}
