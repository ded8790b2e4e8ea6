// Looks at answers while they are typed, so that a slip is found while the person is still there. What counts is
// the program's own check (collect/answer.py); what passes here passes there, of the categories below. Of the
// others only an empty field is noticed here.
"use strict";

const answers = (() => {
  const fold = (text) =>
    text.replace(/[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "").replace(/[\uff01-\uff5e]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0)).replaceAll("\u3000", " ").trim();
  const squeeze = (text) => fold(text).replace(/[ .·•\t\u00a0\u2010-\u2014\u2212-]/g, "").toUpperCase();

  // The day that three numbers name, as `2026-03-14`, or "" if there is none.
  function day(year, month, date) {
    const found = new Date(Date.UTC(+year, +month - 1, +date));
    const real = found.getUTCFullYear() === +year && found.getUTCMonth() === +month - 1 && found.getUTCDate() === +date;
    return real ? found.toISOString().slice(0, 10) : "";
  }

  // GB 11643-1999 with its check character of ISO 7064 MOD 11-2; "" if it is none.
  function birthOfId(text) {
    const number = squeeze(text);
    if (!/^[1-8][0-9]{16}[0-9X]$/.test(number)) return "";
    const sum = [...number.slice(0, 17)].reduce((all, digit, at) => all + digit * (2 ** (17 - at) % 11), 0);
    return "10X98765432"[sum % 11] === number[17] ? day(number.slice(6, 10), number.slice(10, 12), number.slice(12, 14)) : "";
  }

  function birthDate(text) {
    const found = /^(\d{4})(?:[-/.年]?)(\d{2})(?:[-/.月]?)(\d{2})日?$/.exec(fold(text)) ??
      /^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?$/.exec(fold(text));
    return found ? day(found[1], found[2], found[3]) : "";
  }

  const between = (low, value, high) => low <= value && value <= high;
  const CHECKS = {
    "identity.name": (text) => /\p{L}/u.test(text) && !/[\p{Nd}_<>{}[\]|\\@#$%^&*=+~/?!:;"\p{C}]/u.test(text),
    "identity.resident-id": (text, today) => between("1890-01-01", birthOfId(text), today),
    "identity.birth-date": (text, today) => between("1910-01-01", birthDate(text), today),
    "contact.mobile": (text) => /^(1[3-9]\d{9}|\+(?!86)[1-9]\d{6,14})$/.test(squeeze(text).replace(/^(\+|00)86(?=1)/, "")),
    "health.temperature": (text) => /^\d{2}(\.\d{1,2})?$/.test(fold(text)) && between(34, Number(fold(text)), 43),
    "need.household-size": (text) => /^\d{1,2}$/.test(fold(text)) && between(1, Number(fold(text)), 50),
  };

  // Whether an answer of a category will be taken; an empty one is not for here to judge.
  const isGood = (category, text, today) => CHECKS[category]?.(text, today) ?? true;

  // Whether an answer tells that somebody is under 14, or in an age band that reaches below it.
  const FOURTEEN = 14;
  const BIRTHS = { "identity.resident-id": birthOfId, "identity.birth-date": birthDate };
  const CHILD = {
    "identity.age-band": (text) => /^\d/.test(fold(text)) && Number.parseInt(fold(text), 10) < FOURTEEN,
    "identity.minor-under-14": (text) => text === "yes",
  };
  function isChild(category, text, today) {
    const limit = `${today.slice(0, 4) - FOURTEEN}${today.slice(4)}`;
    return category in BIRTHS ? BIRTHS[category](text) > limit : Boolean(CHILD[category]?.(text));
  }

  // What is said beside a field moves what is below it: it comes after a press that is under way, never between the
  // press on a button and its release.
  let pressed = false;
  const later = [];
  const release = () => setTimeout(() => {
    pressed = false;
    for (const work of later.splice(0)) work();
  });
  addEventListener("pointerdown", () => { pressed = true; }, true);
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, release, true);
  const afterPress = (work) => { if (pressed) later.push(work); else setTimeout(work); };

  // Says beside ``input`` what is wrong with it, in ``line``, or that nothing is.
  function tie(input, line) {
    const id = `${input.id}-slip`;
    const told = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((each) => each && each !== id);
    if (line) {
      line.id = id;
      told.push(id);
    }
    input.setAttribute("aria-invalid", String(Boolean(line)));
    if (told.length) input.setAttribute("aria-describedby", told.join(" "));
    else input.removeAttribute("aria-describedby");
  }

  return { isGood, isChild, afterPress, tie };
})();
