// Verifies, in the browser itself, what a public log says: receipts, checkpoints, growth, misbehaviour, and
// that a record is gone. No other script, no network, no clock; only WebCrypto (SHA-256 and Ed25519).
//
// It takes the seven steps of the program's own verifier (docs/reference/verification.md), written apart
// from it and held to the same table of inputs. One thing it can't do: browsers have no ML-DSA-44, so such
// cosignatures count as not there, and a policy that needs them fails here at step 6.
"use strict";

const epilock = (() => {
  const STEPS = ["", "file", "entry", "checkpoint", "origin", "signature", "policy", ""];
  const ERRORS = ["", "FileFormatError", "EntryError", "NoteError", "OriginError", "ForgedError",
    "PolicyError", "ProofError"];
  const [FILE, ENTRY, CHECKPOINT, ORIGIN, SIGNATURE, POLICY, SHOWN] = [1, 2, 3, 4, 5, 6, 7];
  const MOST_BYTES = 1 << 20, MOST_SIGNATURES = 100, MOST_HASHES = 63;

  class Failure extends Error {
    constructor(step, why) { super(why); this.step = step; }
  }
  const need = (holds, step, why) => { if (!holds) throw new Failure(step, why); };

  // ---- Notation: one value has one spelling ----------------------------------------------------------
  const utf8 = (text) => new TextEncoder().encode(text);
  const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  const octets = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0)); // of a text of octets
  const isWhole = (text) => !/\p{Surrogate}/u.test(text); // no half of a character, which JSON can spell
  const join = (...parts) => new Uint8Array(parts.flatMap((part) => [...part]));

  function textOf(bytes, step = FILE) {
    need(bytes.length <= MOST_BYTES, step, "a file has at most 1 MiB");
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new Failure(step, "a file is text in UTF-8");
    }
  }
  function number(text, step) {
    need(/^(0|[1-9][0-9]{0,18})$/.test(text), step,
      "a number is decimal without sign or leading zeros");
    const value = BigInt(text);
    need(value < 1n << 63n, step, "a number is below 2**63");
    return value;
  }
  function base64(text, step, size) {
    need(/^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0, step, "this is not base64");
    const bytes = octets(atob(text));
    const again = btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
    need(again === text && (size === undefined || bytes.length === size),
      step, "this base64 has stray bits or another length than it should");
    return bytes;
  }
  const hashes = (lines, step) => {
    need(lines.length <= MOST_HASHES, step, "a path has at most 63 hashes");
    return lines.map((line) => base64(line, step, 32));
  };
  const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

  // ---- Keys ------------------------------------------------------------------------------------------
  const LOG = 1, WITNESS = 4, ML_DSA = 6; // Ed25519 of a text, Ed25519 cosignature, ML-DSA-44
  const KEY_BYTES = { [LOG]: 32, [WITNESS]: 32, [ML_DSA]: 1312 };
  const isName = (name) => /^[^\p{White_Space}+\u0000-\u001f]+$/u.test(name);

  async function readKey(text, step = FILE) {
    const [name, keyId, ...rest] = text.split("+");
    const data = base64(rest.join("+"), step);
    need(isName(name) && data.length > 0 && KEY_BYTES[data[0]] === data.length - 1, step,
      "a key is <name>+<8 hex digits>+<base64>, Ed25519 or ML-DSA-44");
    const hash = await sha256(join(utf8(name), [10], data));
    need(hex(hash.slice(0, 4)) === keyId, step, "a key was mistyped: its id does not fit it");
    return { name, kind: data[0], public: data.slice(1), id: `${name} ${keyId}` };
  }

  async function checkSignature(key, text, signature) {
    let message = utf8(text);
    if (key.kind === WITNESS) {
      need(signature.length === 72, SIGNATURE, `the signature of ${key.name} fails`);
      const time = BigInt(`0x${hex(signature.slice(0, 8))}`);
      need(time < 1n << 63n, SIGNATURE, `the signature of ${key.name} has a time after 2**63`);
      message = utf8(`cosignature/v1\ntime ${time}\n${text}`);
      signature = signature.slice(8);
    }
    let good = false;
    try {
      const known = await crypto.subtle.importKey("raw", key.public, "Ed25519", false, ["verify"]);
      good = await crypto.subtle.verify("Ed25519", known, signature, message);
    } catch (error) {
      if (error.name === "NotSupportedError") throw error; // an old browser is no forgery
    }
    need(good, SIGNATURE, `the signature of ${key.name} fails`);
  }

  // ---- Policy: which logs are accepted, and which witnesses must have cosigned -------------------------
  const newTrust = () => ({ logs: [], witnesses: new Map(), groups: new Map(), quorum: "none" });

  function holds(trust, signed) {
    const stands = new Map([["none", true]]);
    for (const [name, key] of trust.witnesses) stands.set(name, signed.has(key.id));
    for (const [name, [k, members]] of trust.groups) { // members come before their group
      stands.set(name, members.filter((member) => stands.get(member)).length >= k);
    }
    return stands.get(trust.quorum);
  }

  async function readPolicy(bytes) {
    need(bytes.length <= MOST_BYTES, FILE, "a policy has at most 1 MiB");
    const trust = newTrust(), names = new Set(["none"]), used = new Set(["none"]), keys = new Set();
    let quorums = 0;
    const newName = (name, why) => { need(!names.has(name), FILE, why); names.add(name); };
    const newKey = async (item, kinds, why) => {
      const key = await readKey(textOf(octets(item)));
      need(kinds.includes(key.kind) && !keys.has(hex(key.public)), FILE, why);
      keys.add(hex(key.public));
      return key;
    };
    const lines = Array.from(bytes, (b) => String.fromCharCode(b)).join("").split("\n");
    for (const [row, line] of lines.entries()) {
      const why = `line ${row + 1} of the policy is no line of one, or a name is not new, or not known`;
      need(!/[\x00-\x08\x0b-\x1f\x7f]/.test(line), FILE, why);
      const [word, ...items] = line.split(/[ \t]+/).filter(Boolean);
      const count = items.length;
      if (word === undefined || word.startsWith("#")) continue;
      if (word === "log" && (count === 1 || count === 2)) {
        trust.logs.push(await newKey(items[0], [LOG, ML_DSA], why));
      } else if (word === "witness" && (count === 2 || count === 3)) {
        newName(items[0], why);
        trust.witnesses.set(items[0], await newKey(items[1], [WITNESS, ML_DSA], why));
      } else if (word === "group" && count >= 3) {
        const [name, size, ...members] = items, n = members.length;
        const k = { all: n, any: 1 }[size] ?? Number(number(size, FILE));
        need(1 <= k && k <= n && members.every((m) => names.has(m) && !used.has(m)), FILE, why);
        need(new Set(members).size === n, FILE, why);
        newName(name, why);
        members.forEach((member) => used.add(member));
        trust.groups.set(name, [k, members]);
      } else if (word === "quorum" && count === 1 && names.has(items[0]) && quorums === 0) {
        trust.quorum = items[0];
        quorums = 1;
      } else {
        need(false, FILE, why);
      }
    }
    need(quorums === 1, FILE, "a policy has one line `quorum <name>|none`");
    return trust;
  }

  // ---- The tree: the definitions of RFC 6962 section 2.1, read backwards -------------------------------
  const node = (left, right) => sha256(join([1], left, right));
  const below = (size) => 1n << BigInt((size - 1n).toString(2).length - 1); // largest 2**k < size
  const same = (a, b) => hex(a) === hex(b);

  async function rootOf(index, size, leaf, path) {
    need(index < size && path.length > 0 === size > 1n, SHOWN, "the path does not fit index and size");
    if (size === 1n) return leaf;
    const rest = path.slice(0, -1), top = path.at(-1), k = below(size);
    if (index < k) return node(await rootOf(index, k, leaf, rest), top);
    return node(top, await rootOf(index - k, size - k, leaf, rest));
  }
  async function rootsOf(old, now, path, known) {
    need(path.length > 0 === (old < now || known === null), SHOWN, "the proof does not fit the sizes");
    if (old === now && known !== null) return [known, known];
    const rest = path.slice(0, -1), top = path.at(-1);
    if (old === now) {
      need(rest.length === 0, SHOWN, "the proof is too long for the sizes");
      return [top, top];
    }
    const k = below(now);
    if (old <= k) {
      const [before, after] = await rootsOf(old, k, rest, known);
      return [before, await node(after, top)];
    }
    const [before, after] = await rootsOf(old - k, now - k, rest, null);
    return [await node(top, before), await node(top, after)];
  }
  async function checkPrefix(old, was, now, root, path) {
    need(old < now || old === now, SHOWN, "the older checkpoint is larger than the newer");
    if (old === 0n) return need(path.length === 0, SHOWN, "a proof from the empty tree is empty");
    const [before, after] = await rootsOf(old, now, path, was);
    need(same(before, was) && same(after, root), SHOWN, `the tree of ${old} is not shown to begin ${now}`);
  }

  // ---- Checkpoints: steps 3 to 6 -----------------------------------------------------------------------
  async function readNote(note) {
    const step = CHECKPOINT, gap = note.lastIndexOf("\n\n");
    need(gap >= 0 && note.endsWith("\n") && note.length > gap + 2 && !/[\x00-\x09\x0b-\x1f]/.test(note),
      step, "a signed note is text, an empty line and lines of signatures, without controls");
    const lines = note.slice(gap + 2, -1).split("\n");
    const signatures = lines.map((line) => {
      const [mark, name, encoded, ...more] = line.split(" ");
      const data = base64(encoded ?? "", step);
      need(mark === "—" && isName(name ?? "") && more.length === 0 && data.length > 4, step,
        "a signature line is an em dash, a key's name and base64");
      return { id: `${name} ${hex(data.slice(0, 4))}`, data: data.slice(4) };
    });
    const [origin, size, root, ...extensions] = note.slice(0, gap).split("\n");
    need(lines.length <= MOST_SIGNATURES && origin && root && extensions.every(Boolean), step,
      "a checkpoint has an origin, a size and a root, and no empty line");
    const said = { origin, size: number(size, step), root: base64(root, step, 32) };
    need(said.size > 0n || same(said.root, await sha256(new Uint8Array())), step,
      "the empty tree has one root");
    return { text: note.slice(0, gap + 1), said, signatures };
  }
  async function checkNote(note, trust) {
    const { text, said, signatures } = await readNote(note); // 3
    const readable = [...trust.logs, ...trust.witnesses.values()].filter((key) => key.kind !== ML_DSA);
    const own = trust.logs.filter((key) => key.name === said.origin && key.kind !== WITNESS);
    need(own.some((key) => signatures.some((line) => line.id === key.id)), ORIGIN,
      "no key that was given for this checkpoint's log signed it"); // 4
    const known = new Map(readable.map((key) => [key.id, key]));
    const signed = new Set();
    for (const line of signatures) { // 5; one of an unknown key says nothing
      if (known.has(line.id)) {
        await checkSignature(known.get(line.id), text, line.data);
        signed.add(line.id);
      }
    }
    need(own.some((key) => signed.has(key.id)), SIGNATURE, "only ML-DSA-44 signs for this log");
    need(holds(trust, signed), POLICY,
      "the witnesses that cosigned are not the policy's quorum"); // 6
    const witnesses = [...trust.witnesses.values()].filter((key) => signed.has(key.id));
    return { ...said, witnesses: witnesses.map((key) => key.name) };
  }

  // ---- What is shown: step 7 ---------------------------------------------------------------------------
  async function checkProof(bytes, trust, given = null, leafHash = null) {
    const whole = textOf(bytes), gap = whole.indexOf("\n\n"); // 1
    const [first, ...lines] = whole.slice(0, Math.max(gap, 0)).split("\n");
    need(first === "c2sp.org/tlog-proof@v1" && whole.length > gap + 2, FILE, "this is not a proof");
    let entry = given, leaf = leafHash;
    if (lines[0]?.startsWith("extra ")) {
      const extra = base64(lines.shift().slice("extra ".length), FILE);
      if (entry === null && leaf === null) entry = extra;
    }
    need(lines[0]?.startsWith("index "), FILE, "the line `index <number>` is missing");
    const index = number(lines[0].slice("index ".length), FILE);
    const path = hashes(lines.slice(1), FILE);
    if (entry !== null) leaf = await sha256(join([0], entry)); // 2
    need(leaf !== null, ENTRY, "the proof does not carry its entry; give it too");
    const said = await checkNote(whole.slice(gap + 2), trust);
    need(same(await rootOf(index, said.size, leaf, path), said.root), SHOWN,
      `the path does not lead from this entry, at ${index}, to the root`); // 7
    return { ...said, index, entry };
  }

  async function checkConsistency(old, now, proof, trust) {
    const body = textOf(proof).replace(/\n$/, "");
    const path = hashes(body === "" ? [] : body.split("\n"), FILE);
    const notes = [textOf(old), textOf(now)], said = [];
    for (const note of notes) said.push(trust ? await checkNote(note, trust) : (await readNote(note)).said);
    need(said[0].origin === said[1].origin, SHOWN, "the two checkpoints are of different logs");
    await checkPrefix(said[0].size, said[0].root, said[1].size, said[1].root, path);
    return { ...said[1], old: said[0].size };
  }

  async function checkMisbehaviour(bytes, trust) {
    const value = parsed(textOf(bytes), FILE);
    const texts = ["older", "newer", "root"].every((n) => typeof value[n] === "string" && isWhole(value[n]));
    need(texts && Array.isArray(value.path) && Object.keys(value).length === 4, FILE,
      "a proof of misbehaviour has `older`, `newer`, `root` and `path`");
    need(value.path.every((each) => typeof each === "string"), FILE, "a path is of texts");
    const stated = base64(value.root, FILE), path = hashes(value.path, FILE);
    const logs = { ...newTrust(), logs: trust.logs };
    const a = await checkNote(value.older, logs), b = await checkNote(value.newer, logs);
    need(a.origin === b.origin, SHOWN, "the two checkpoints are of different logs");
    if (a.size !== b.size) await checkPrefix(a.size, stated, b.size, b.root, path);
    const root = a.size === b.size ? b.root : stated;
    need(a.size > 0n && !same(root, a.root), SHOWN, "the two checkpoints can both be true");
    return { ...b, older: a.size };
  }

  const PLACE = { bucket: "string", n: "number", org: "string" };
  const DONE = { parts: "object", at: "string", org: "string" };
  const STORY = { // the entries that tell what became of a record
    collect: { ...PLACE, parts: "object" },
    event: { ...PLACE, to_bucket: "string", to_n: "number" },
    correct: { ...PLACE, by_bucket: "string", by_n: "number" },
    erased: { ...PLACE, ...DONE },
    certificate: { ...DONE, bucket: "string", first: "number", last: "number", complete: "boolean" },
    "log-continues": { key: "string", size: "number" },
  };
  function parsed(text, step) {
    let value = null;
    try { value = JSON.parse(text); } catch { /* said below */ }
    need(value !== null && typeof value === "object" && !Array.isArray(value), step, "this is no JSON object");
    return value;
  }
  const canonical = (value) => { // RFC 8785; of numbers only what any reader takes for the same
    if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
    if (typeof value === "number") need(Number.isSafeInteger(value) && value >= 0, ENTRY, "no such number");
    if (typeof value === "string") need(isWhole(value), ENTRY, "this holds half a character");
    if (value === null || typeof value !== "object") return JSON.stringify(value);
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${canonical(name)}:${canonical(value[name])}`).join(",")}}`;
  };
  function readEntry(bytes) {
    const text = textOf(bytes, ENTRY), said = parsed(text, ENTRY);
    need(canonical(said) === text && typeof said.type === "string", ENTRY, "this is no canonical entry");
    for (const [name, kind] of Object.entries(Object.hasOwn(STORY, said.type) ? STORY[said.type] : {})) {
      const right = kind === "object" ? Array.isArray(said[name]) : typeof said[name] === kind;
      const texts = kind !== "object" || (right && said[name].every((part) => typeof part === "string"));
      need(right && texts, ENTRY, `the field ${name} of an entry is not of its kind`);
    }
    return said;
  }

  // What the entries say, in order, from the log of the first one on. A log goes on where another was
  // sealed if its first entry, `log-continues`, says so.
  function inOrder(shown) {
    const at = (each) => JSON.stringify([each.origin, String(each.index)]);
    const entries = new Map(shown.map((each) => [at(each), each]));
    need(shown.every((each) => same(each.entry, entries.get(at(each)).entry)), SHOWN,
      "the proofs are of a log that contradicts itself");
    const said = [...entries.values()].map((e) => ({ ...readEntry(e.entry), log: e.origin, index: e.index }));
    said.sort((a, b) => (a.index < b.index ? -1 : 1));
    const after = new Map(said.filter((e) => String(e.index) === "0" && e.type === "log-continues")
      .map((each) => [each.key.split("+")[0], each]));
    const told = [];
    for (let log = shown[0].origin; log !== undefined;) {
      told.push(...said.filter((each) => each.log === log));
      const next = after.get(log);
      after.delete(log);
      need(!next || told.at(-1).index < next.size, SHOWN, "a log goes on before the end of the one before it");
      log = next?.log;
    }
    need(told.length === said.length, SHOWN, "the proofs are of different logs, and none is shown to go on");
    return told;
  }

  // The story of one record in the order of the logs: a complete certificate covers parts of a bucket and a
  // range of numbers, `erased` one record; `event` and `correct` say that it went on as another, which must
  // be gone too. Only the whole log can show that none of these was left out.
  async function checkDestruction(receipt, proofs, trust) {
    const shown = [];
    for (const each of [receipt, ...proofs]) shown.push(await checkProof(each, trust));
    const told = inOrder(shown), first = told.find((each) => each.index === shown[0].index);
    need(first.type === "collect", ENTRY, "a receipt proves a `collect` entry");
    const place = (bucket, n) => JSON.stringify([bucket, n]);
    const living = new Map([[place(first.bucket, first.n), new Set(first.parts)]]);
    const collected = new Map(), gone = [];
    for (const said of told.slice(told.indexOf(first))) {
      if (said.type === "log-continues" || said.org !== first.org || !Object.hasOwn(STORY, said.type)) continue;
      const here = place(said.bucket, said.n);
      if (said.type === "collect") collected.set(here, new Set(said.parts));
      if (said.type === "event" && living.has(here)) {
        living.set(place(said.to_bucket, said.to_n), new Set(living.get(here)));
      }
      if (said.type === "correct" && living.has(here)) {
        const by = place(said.by_bucket, said.by_n);
        need(collected.has(by), SHOWN, `give the proof of the \`collect\` entry of ${by} too`);
        living.set(by, new Set(collected.get(by)));
      }
      if (said.type === "erased" || (said.type === "certificate" && said.complete)) {
        const [low, high] = said.type === "erased" ? [said.n, said.n] : [said.first, said.last];
        for (const [key, parts] of living) {
          const [bucket, n] = JSON.parse(key);
          if (bucket !== said.bucket || n < low || n > high) continue;
          for (const part of said.parts) {
            if (parts.delete(part)) gone.push({ part, bucket, n, index: said.index, at: said.at });
          }
        }
      }
    }
    for (const [key, parts] of living) {
      need(parts.size === 0, SHOWN, `nothing shows that all of ${key} is gone: ${[...parts]}`);
    }
    const witnesses = shown[0].witnesses.filter((name) => shown.every((each) => each.witnesses.includes(name)));
    return { origin: shown[0].origin, index: shown[0].index, gone, witnesses };
  }

  // Checks files by what they contain. `given`: file (bytes), and if need be policy, entry, leafHash,
  // newer, consistency (bytes), proofs (list of bytes), keys (list of texts). Says ok, kind, and else step.
  async function check(given) {
    let kind = "file";
    try {
      const trust = given.policy ? await readPolicy(given.policy) : newTrust();
      for (const key of given.keys ?? []) trust.logs.push(await readKey(key));
      need(trust.logs.every((key) => key.kind !== WITNESS), FILE, "a witness's key belongs into a policy");
      const blind = !given.policy && trust.logs.length === 0;
      const { file } = given, start = new TextDecoder("latin1").decode(file.slice(0, 20));
      const run = {
        consistency: () => checkConsistency(file, given.newer, given.consistency, blind ? null : trust),
        destruction: () => checkDestruction(file, given.proofs, trust),
        inclusion: () => checkProof(file, trust, given.entry ?? null, given.leafHash ?? null),
        misbehaviour: () => checkMisbehaviour(file, trust),
        checkpoint: () => checkNote(textOf(file), trust),
      };
      need(!blind || given.consistency, FILE, "give a policy, or the log's key");
      if (given.consistency) kind = "consistency";
      else if (given.proofs) kind = "destruction";
      else if (start === "c2sp.org/tlog-proof@") kind = "inclusion";
      else if (start.startsWith("{")) kind = "misbehaviour";
      else {
        need(textOf(file).includes("\n\n"), FILE, "this is neither a proof nor a checkpoint");
        kind = "checkpoint";
      }
      need(!given.leafHash || given.leafHash.length === 32, FILE, "a leaf hash has 32 bytes");
      need(kind === "inclusion" || (!given.entry && !given.leafHash), FILE,
        "an entry belongs to a proof alone; this is none");
      return { ok: true, kind, ...(await run[kind]()) };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const step = STEPS[error.step] || kind;
      return { ok: false, kind, number: error.step, step, error: ERRORS[error.step], why: error.message };
    }
  }
  return { check, readEntry };
})();
