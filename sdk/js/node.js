// What functions for Lambda find in Node.js, as far as they use it to work on data: `Buffer`,
// `TextEncoder`, `TextDecoder` and `console`, as globals where the engine has none. There is no
// `process`, `require` or `setTimeout`, and no module of Node.js.

import { bytes, log, text } from "./millrace.js";

const REPLACEMENT = "\ufffd";
const BYTE_ORDER_MARK = "\ufeff";

/** Bytes in all encodings of Node.js but those of UTF-16. */
export class Buffer extends Uint8Array {
  static from(value, encoding = "utf8") {
    if (typeof value === "string") return asBuffer(encoded(value, encoding));
    if (value instanceof ArrayBuffer) return asBuffer(new Uint8Array(value));
    if (value?.type === "Buffer") return asBuffer(Uint8Array.from(value.data));
    return asBuffer(Uint8Array.from(value, (byte) => byte));
  }

  static alloc(size, fill = 0) {
    const all = new Buffer(size);
    return typeof fill === "string" ? filled(all, Buffer.from(fill)) : all.fill(fill);
  }

  static concat(list) {
    const all = new Buffer(list.reduce((size, one) => size + one.length, 0));
    list.reduce((at, one) => (all.set(one, at), at + one.length), 0);
    return all;
  }

  static byteLength(value, encoding = "utf8") {
    return typeof value === "string" ? encoded(value, encoding).length : value.byteLength;
  }

  static isBuffer(value) {
    return value instanceof Buffer;
  }

  toString(encoding = "utf8", start = 0, end = this.length) {
    return decoded(this.subarray(start, end), encoding);
  }

  toJSON() {
    return { type: "Buffer", data: Array.from(this) };
  }

  equals(other) {
    return this.length === other.length && this.every((byte, place) => byte === other[place]);
  }

  slice(start, end) {
    return this.subarray(start, end);
  }
}

const asBuffer = (data) => new Buffer(data.buffer, data.byteOffset, data.byteLength);

function filled(all, pattern) {
  for (let at = 0; at < all.length; at += 1) all[at] = pattern[at % pattern.length];
  return all;
}

/** Text as bytes. As in Node.js, what is no base64 or hexadecimal digit ends or is left out. */
function encoded(string, encoding) {
  switch (encoding.toLowerCase()) {
    case "utf8":
    case "utf-8":
      return bytes(string);
    case "base64":
    case "base64url":
      return fromBase64(string);
    case "hex":
      return fromHex(string);
    case "ascii":
    case "latin1":
    case "binary":
      return Uint8Array.from({ length: string.length }, (_, place) => string.charCodeAt(place));
    default:
      throw new TypeError(`Unknown encoding: ${encoding}`);
  }
}

function decoded(data, encoding) {
  switch (encoding.toLowerCase()) {
    case "utf8":
    case "utf-8":
      return lenientText(data);
    case "base64":
      return data.toBase64();
    case "base64url":
      return data.toBase64({ alphabet: "base64url", omitPadding: true });
    case "hex":
      return data.toHex();
    case "ascii":
      return latin1(data.map((byte) => byte & 0x7f));
    case "latin1":
    case "binary":
      return latin1(data);
    default:
      throw new TypeError(`Unknown encoding: ${encoding}`);
  }
}

const latin1 = (data) => Array.from(data, (byte) => String.fromCharCode(byte)).join("");

/** Both alphabets are taken; what belongs to none is left out, and `=` ends it. */
function fromBase64(string) {
  try {
    return Uint8Array.fromBase64(string);
  } catch {
    const [digits] = string.replaceAll("-", "+").replaceAll("_", "/").split("=");
    const known = digits.replace(/[^A-Za-z0-9+/]/g, "");
    const whole = known.length % 4 === 1 ? known.slice(0, -1) : known;
    return Uint8Array.fromBase64(whole);
  }
}

function fromHex(string) {
  const [digits] = /^(?:[0-9a-f]{2})*/i.exec(string);
  return Uint8Array.fromHex(digits);
}

/** UTF-8 as text; bytes that are none become signs for what is no character. */
function lenientText(data) {
  try {
    return text(data);
  } catch {
    return replacedText(data);
  }
}

/** The same, character by character, as the Encoding Standard has it. */
function replacedText(data) {
  let out = "";
  let at = 0;
  while (at < data.length) {
    const length = characterAt(data, at);
    out += length > 0 ? text(data.subarray(at, at + length)) : REPLACEMENT;
    at += length > 0 ? length : maximalPartAt(data, at);
  }
  return out;
}

/** The bytes of the character that begins here; 0 where none does. */
function characterAt(data, at) {
  const length = lengthFor(data[at]);
  const isWhole = length > 0 && maximalPartAt(data, at) === length;
  return isWhole && at + length <= data.length ? length : 0;
}

/** The bytes from here on that could begin a character: one sign stands for them. */
function maximalPartAt(data, at) {
  const first = data[at];
  const length = lengthFor(first);
  let part = 1;
  while (part < length && at + part < data.length) {
    const byte = data[at + part];
    const [least, most] = part === 1 ? secondByte(first) : [0x80, 0xbf];
    if (byte < least || byte > most) break;
    part += 1;
  }
  return part;
}

function lengthFor(first) {
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/** The range of the byte after this one (Unicode, table 3-7). */
function secondByte(first) {
  switch (first) {
    case 0xe0:
      return [0xa0, 0xbf];
    case 0xed:
      return [0x80, 0x9f];
    case 0xf0:
      return [0x90, 0xbf];
    case 0xf4:
      return [0x80, 0x8f];
    default:
      return [0x80, 0xbf];
  }
}

class TextEncoder {
  encoding = "utf-8";

  encode(string = "") {
    return bytes(String(string));
  }
}

class TextDecoder {
  #isFatal;

  constructor(label = "utf-8", { fatal = false } = {}) {
    if (!["utf-8", "utf8"].includes(label.toLowerCase())) {
      throw new RangeError(`The "${label}" encoding is not supported`);
    }
    this.encoding = "utf-8";
    this.#isFatal = fatal;
  }

  decode(data = new Uint8Array()) {
    const all = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);
    const string = this.#isFatal ? text(all) : lenientText(all);
    return string.startsWith(BYTE_ORDER_MARK) ? string.slice(1) : string;
  }
}

function shown(value) {
  if (typeof value === "string") return value;
  if (value instanceof Error) return value.stack ? `${value}\n${value.stack}` : String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

const line = (say) => (...values) => say(values.map(shown).join(" "));

/** Its lines are lines of the host's log. */
const console = {
  debug: line(log.debug),
  log: line(log.info),
  info: line(log.info),
  warn: line(log.warn),
  error: line(log.error),
};

for (const [name, value] of Object.entries({ Buffer, TextEncoder, TextDecoder, console })) {
  globalThis[name] ??= value;
}
