// A QR code (ISO/IEC 18004) of a short text, made where there is no network: bytes, level M, versions 1 to 10.
// What the server makes elsewhere is the same code (collect/qr.py); a test compares them module by module.
"use strict";

const qr = (() => {
  // By version: data codewords of all blocks, error codewords of each block, how many blocks.
  const SIZES = [[16, 10, 1], [28, 16, 1], [44, 26, 1], [64, 18, 2], [86, 24, 2], [108, 16, 4], [124, 18, 4], [154, 22, 4], [182, 22, 5], [216, 26, 5]];
  const CENTRES = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50]];
  const MASKS = [
    (x, y) => (x + y) % 2, (x, y) => y % 2, (x) => x % 3, (x, y) => (x + y) % 3,
    (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2, (x, y) => ((x * y) % 2) + ((x * y) % 3),
    (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2, (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2,
  ];

  // GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1.
  const power = [1], log = [];
  for (let n = 0; n < 255; n++) {
    log[power[n]] = n;
    const next = power[n] << 1;
    power.push(next & 256 ? next ^ 0x11d : next);
  }
  const times = (a, b) => (a && b ? power[(log[a] + log[b]) % 255] : 0);

  function errorWords(data, count) {
    let generator = [1]; // the product of (x - 2^n), its highest term first
    for (let n = 0; n < count; n++) {
      generator = [...generator, 0].map((word, at) => word ^ times(generator[at - 1] ?? 0, power[n]));
    }
    const rest = [...data, ...Array(count).fill(0)];
    for (let at = 0; at < data.length; at++) {
      const lead = rest[at];
      generator.forEach((word, n) => { rest[at + n] ^= times(word, lead); });
    }
    return rest.slice(data.length);
  }

  function codewords(bytes, version) {
    const [capacity, errors, blocks] = SIZES[version - 1];
    const bits = [];
    const put = (value, length) => { for (let n = length - 1; n >= 0; n--) bits.push((value >> n) & 1); };
    put(4, 4);
    put(bytes.length, version < 10 ? 8 : 16);
    bytes.forEach((byte) => put(byte, 8));
    put(0, Math.min(4, capacity * 8 - bits.length));
    while (bits.length % 8) bits.push(0);
    const words = [];
    for (let at = 0; at < bits.length; at += 8) words.push(parseInt(bits.slice(at, at + 8).join(""), 2));
    for (let pad = 0xec; words.length < capacity; pad ^= 0xec ^ 0x11) words.push(pad);

    const short = Math.floor(capacity / blocks), longer = capacity % blocks;
    const parts = [];
    for (let n = 0, at = 0; n < blocks; n++) {
      const length = short + (n >= blocks - longer ? 1 : 0);
      parts.push(words.slice(at, at + length));
      at += length;
    }
    const checks = parts.map((part) => errorWords(part, errors));
    const woven = [];
    for (let n = 0; n <= short; n++) for (const part of parts) if (n < part.length) woven.push(part[n]);
    for (let n = 0; n < errors; n++) for (const part of checks) woven.push(part[n]);
    return woven;
  }

  function remainder(value, generator, length) {
    let rest = value << length;
    for (let bit = 31 - Math.clz32(generator); 31 - Math.clz32(rest) >= bit && rest;) {
      rest ^= generator << (31 - Math.clz32(rest) - bit);
    }
    return (value << length) | rest;
  }

  // The square with all that is the same for each text; what is left undefined is for the data.
  function frame(version) {
    const size = 17 + 4 * version;
    const rows = Array.from({ length: size }, () => Array(size));
    const put = (x, y, dark) => { if (rows[y] && x >= 0 && x < size) rows[y][x] = Number(dark); };
    for (const [left, top] of [[0, 0], [size - 7, 0], [0, size - 7]]) {
      for (let dy = -1; dy < 8; dy++) for (let dx = -1; dx < 8; dx++) {
        const ring = Math.max(Math.abs(dx - 3), Math.abs(dy - 3));
        put(left + dx, top + dy, ring !== 2 && ring !== 4);
      }
    }
    const centres = CENTRES[version - 1];
    for (const x of centres) for (const y of centres) {
      if (rows[y][x] !== undefined) continue; // a corner
      for (let dy = -2; dy < 3; dy++) for (let dx = -2; dx < 3; dx++) {
        put(x + dx, y + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
      }
    }
    for (let n = 8; n < size - 8; n++) {
      put(n, 6, n % 2 === 0);
      put(6, n, n % 2 === 0);
    }
    const told = remainder(version, 0x1f25, 12);
    for (let n = 0; version > 6 && n < 18; n++) {
      const x = size - 11 + (n % 3), y = Math.floor(n / 3);
      put(x, y, (told >> n) & 1);
      put(y, x, (told >> n) & 1);
    }
    return rows;
  }

  function putFormat(rows, mask) {
    const size = rows.length;
    const format = remainder(mask, 0x537, 10) ^ 0x5412; // level M is 00
    const bit = (n) => (format >> n) & 1;
    for (let n = 0; n < 15; n++) {
      rows[n < 6 ? n : n < 8 ? n + 1 : size - 15 + n][8] = bit(n);
      rows[8][n < 8 ? size - 1 - n : n < 9 ? 7 : 14 - n] = bit(n);
    }
    rows[size - 8][8] = 1;
  }

  function draw(words, version, mask) {
    const rows = frame(version);
    putFormat(rows, mask);
    const size = rows.length;
    let at = 0;
    for (let right = size - 1, up = true; right > 0; right -= right === 8 ? 3 : 2, up = !up) {
      if (right === 6) right = 5;
      for (let n = 0; n < size; n++) for (const x of [right, right - 1]) {
        const y = up ? size - 1 - n : n;
        if (rows[y][x] !== undefined) continue;
        const dark = ((words[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;
        rows[y][x] = dark ^ Number(MASKS[mask](x, y) === 0);
        at++;
      }
    }
    return rows;
  }

  // How hard a square is to read: runs, blocks, what looks like a corner, and how far it is from half dark.
  function penalty(rows) {
    const size = rows.length;
    let points = 0, dark = 0;
    const lines = [...rows, ...rows.map((_, x) => rows.map((row) => row[x]))].map((line) => line.join(""));
    for (const line of lines) {
      for (const run of line.match(/0{5,}|1{5,}/g) ?? []) points += run.length - 2;
      for (let at = 0; at < size; at++) points += /^(00001011101|10111010000)/.test(line.slice(at, at + 11)) ? 40 : 0;
    }
    for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
      dark += rows[y][x];
      const sum = rows[y][x] + rows[y][x + 1] + (rows[y + 1]?.[x] ?? NaN) + (rows[y + 1]?.[x + 1] ?? NaN);
      if (sum === 0 || sum === 4) points += 3;
    }
    return points + 10 * Math.floor(Math.abs((dark / size ** 2) * 100 - 50) / 5);
  }

  // The rows of the code, 1 for dark, and the mask that was taken.
  function make(text) {
    const bytes = [...new TextEncoder().encode(text)];
    const version = 1 + SIZES.findIndex(([capacity], at) => bytes.length + (at < 9 ? 2 : 3) <= capacity);
    if (!version) throw new RangeError("too long for a QR code that a small telephone reads");
    const words = codewords(bytes, version);
    const all = MASKS.map((_, mask) => draw(words, version, mask));
    const costs = all.map(penalty);
    const mask = costs.indexOf(Math.min(...costs));
    return { rows: all[mask], mask, version };
  }

  // An SVG element with the white around it that a reader needs; ``label`` is what it is read out as.
  function picture(text, label) {
    const { rows } = make(text);
    const space = "http://www.w3.org/2000/svg", quiet = 4, side = rows.length + 2 * quiet;
    const svg = document.createElementNS(space, "svg");
    const dark = rows.flatMap((row, y) => row.flatMap((on, x) => (on ? [`M${x + quiet} ${y + quiet}h1v1h-1z`] : [])));
    const draw = (name, attributes) => {
      const made = document.createElementNS(space, name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      svg.append(made);
    };
    for (const [key, value] of Object.entries({ viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": label })) svg.setAttribute(key, value);
    draw("rect", { width: side, height: side, fill: "#fff" });
    draw("path", { d: dark.join(""), fill: "#000", "shape-rendering": "crispEdges" });
    return svg;
  }

  return { make, picture };
})();
