// Seals bytes to a public key: HPKE (RFC 9180), base mode, DHKEM(P-256, HKDF-SHA-256), HKDF-SHA-256,
// AES-256-GCM, one message. Only WebCrypto; what is sealed can't be opened here again.
"use strict";

const hpke = (() => {
  const P256 = { name: "ECDH", namedCurve: "P-256" };
  const NOTHING = new Uint8Array(0);
  const utf8 = (text) => new TextEncoder().encode(text);
  const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
  const VERSION = utf8("HPKE-v1");
  const KEM = join(utf8("KEM"), [0, 0x10]);
  const SUITE = join(utf8("HPKE"), [0, 0x10, 0, 1, 0, 2]);

  // HMAC fills a short key up with zeros, and WebCrypto takes no empty one.
  async function hmac(key, data) {
    const filled = key.length ? key : new Uint8Array(32);
    const made = await crypto.subtle.importKey("raw", filled, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign("HMAC", made, data));
  }

  // RFC 9180, 4: LabeledExtract and LabeledExpand; all that is wanted here fits into one block of 32 bytes.
  const extract = (suite, salt, label, secret) => hmac(salt, join(VERSION, suite, utf8(label), secret));
  const expand = async (suite, key, label, info, length) =>
    (await hmac(key, join([0, length], VERSION, suite, utf8(label), info, [1]))).slice(0, length);

  // RFC 9180, 4.1: Encap. `own` is a fresh pair for each message.
  async function encapsulate(recipient, own) {
    const theirs = await crypto.subtle.importKey("raw", recipient, P256, false, []);
    const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: theirs }, own.privateKey, 256);
    const enc = new Uint8Array(await crypto.subtle.exportKey("raw", own.publicKey));
    const key = await extract(KEM, NOTHING, "eae_prk", new Uint8Array(shared));
    return { enc, secret: await expand(KEM, key, "shared_secret", join(enc, recipient), 32) };
  }

  // RFC 9180, 5.1 and 6.1: KeySchedule, then the first Seal; the answer is `enc` and the sealed bytes.
  async function seal(recipient, info, plain) {
    const own = await crypto.subtle.generateKey(P256, false, ["deriveBits"]);
    const { enc, secret } = await encapsulate(recipient, own);
    const context = join([0], await extract(SUITE, NOTHING, "psk_id_hash", NOTHING),
      await extract(SUITE, NOTHING, "info_hash", info));
    const schedule = await extract(SUITE, secret, "secret", NOTHING);
    const raw = await expand(SUITE, schedule, "key", context, 32);
    const iv = await expand(SUITE, schedule, "base_nonce", context, 12);
    const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt"]);
    return join(enc, new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plain)));
  }

  return { encapsulate, seal };
})();
