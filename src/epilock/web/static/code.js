// The short code of a receipt, as collect/code.py writes it: 15 bits of the organisation's number and the 122
// free bits of a version 4 UUID in Crockford's base32, and two check characters of a Reed-Solomon code over
// GF(32): the sum of all characters is 0, and so is their sum weighted by the powers of a, a^5 = a^2 + 1.
"use strict";

const CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

function receiptCode(serial, uuid) {
  const bits = BigInt(`0x${uuid.replaceAll("-", "")}`);
  const free = (bits >> 80n << 74n) | ((bits >> 64n & 0xfffn) << 62n) | (bits & (1n << 62n) - 1n);
  const number = BigInt(serial) << 125n | free;
  const symbols = Array.from({ length: 28 }, (_, at) => Number(number >> BigInt(5 * (27 - at)) & 31n));

  const power = [1];
  while (power.length < 31) {
    const next = power.at(-1) << 1;
    power.push(next & 32 ? next ^ 0b100101 : next);
  }
  const times = (value, by) => value && power[(power.indexOf(value) + by) % 31];
  let total = 0, weighted = 0;
  for (const symbol of symbols) {
    total ^= symbol;
    weighted = times(weighted, 1) ^ symbol;
  }
  // first + second = total and a first + second = a^2 weighted, so first = (a^2 weighted + total) / (a + 1)
  const first = times(times(weighted, 2) ^ total, 31 - power.indexOf(power[1] ^ 1));
  const text = [...symbols, first, total ^ first].map((symbol) => CODE_ALPHABET[symbol]).join("");
  return text.match(/.{5}/g).join("-");
}

// What a person typed off a receipt: the organisation's number and the UUID, or null if it is no code.
function readReceiptCode(text) {
  const plain = text.normalize("NFKC").replace(/^.*:/s, "").toUpperCase().replace(/[\s\-\u2010-\u2014_.]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
  const symbols = [...plain].map((character) => CODE_ALPHABET.indexOf(character));
  if (symbols.length !== 30 || symbols.includes(-1)) return null;
  const number = symbols.slice(0, 28).reduce((sum, symbol) => sum << 5n | BigInt(symbol), 0n);
  const serial = Number(number >> 125n), free = number & (1n << 125n) - 1n;
  if (free >> 122n) return null;
  const bits = free >> 74n << 80n | 4n << 76n | (free >> 62n & 0xfffn) << 64n | 2n << 62n | free & (1n << 62n) - 1n;
  const hex = bits.toString(16).padStart(32, "0");
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  const written = receiptCode(serial, uuid); // with its check: whatever is misread does not come out the same
  return written.replaceAll("-", "") === plain ? { serial, uuid, code: written } : null;
}
