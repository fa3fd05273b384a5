// What the host offers to every plugin in JavaScript, besides calls over HTTP (`http.js`);
// `transform.js` and `consumer.js` make plugins with it. The source runs in QuickJS: there is the
// language's own library, and no files, no sockets, no timers and no promises that wait. Text at the
// top level runs when the component is built, and may not call the host.

import * as host from "millrace:plugin/context@0.1.0";
import * as secrets from "millrace:plugin/secrets@0.1.0";

/** A value of `[config]` of the manifest, as text; undefined where there is none. */
export const config = (key) => host.config(key) ?? undefined;

/**
 * A secret as bytes, as it is now: operators change them, so ask again in each batch. The manifest
 * asks for it in `[grants]`, and the operator grants it. Throws where one of both is missing, with
 * what to write where. The host takes its value out of logs and reasons, not out of records.
 */
export const secret = (name) => asked(() => secrets.get(name));

/** The same as text; throws where it is not UTF-8. */
export const secretText = (name) => text(secret(name));

/** Adds to a counter among the host's metrics; its name is of `a-z`, `0-9` and `_`. */
export const counter = (name, by = 1) => host.counter(name, by);

/** Milliseconds since 1970; stands still while a batch is worked on. */
export const nowMs = () => host.nowMs();

/** Lines of the host's log. They must not hold a record's data: others read them. */
export const log = {
  trace: (message) => host.log("trace", String(message)),
  debug: (message) => host.log("debug", String(message)),
  info: (message) => host.log("info", String(message)),
  warn: (message) => host.log("warn", String(message)),
  error: (message) => host.log("error", String(message)),
};

/** Thrown, it says that the whole batch may go through a moment later. */
export class Retry extends Error {}

/** The export `lifecycle`, which all plugins have. */
export const lifecycle = ({ name = "", version = "", init = () => {} }) => ({
  describe: () => ({ name, version }),
  init() {
    try {
      init();
    } catch (error) {
      throw reason(error);
    }
  },
});

/** What `work` returns; what it throws, as the host takes it for a whole batch. */
export function answered(work) {
  try {
    return work();
  } catch (error) {
    const tag = error instanceof Retry ? "retryable" : "permanent";
    throw { tag, val: reason(error) };
  }
}

/** Calls the host, and throws an error that has its words. */
export function asked(call) {
  try {
    return call();
  } catch (error) {
    throw error instanceof Error ? error : new Error(String(error));
  }
}

/** The words of what was thrown. */
export const reason = (error) => (error instanceof Error ? error.message : String(error));

/** Bytes or text as bytes. */
export const bytes = (data) => (typeof data === "string" ? utf8(data) : data);

/** UTF-8 as text; throws where it is none, with the first byte that is not. */
export function text(data) {
  let out = "";
  let at = 0;
  while (at < data.length) {
    const plain = plainTo(data, at);
    if (plain > at) {
      out += String.fromCharCode.apply(null, data.slice(at, plain));
      at = plain;
      continue;
    }
    const [point, length] = pointAt(data, at);
    out += String.fromCodePoint(point);
    at += length;
  }
  return out;
}

/** The strings of a slab: their bytes back to back, and where each ends. */
export function strings({ bytes: all, ends }) {
  let start = 0;
  return ends.map((end) => {
    const string = text(all.slice(start, end));
    start = end;
    return string;
  });
}

/** Characters that are made at once: more arguments do not fit onto the stack. */
const CHARACTERS_MAX = 4096;

/** Where the bytes of ASCII that begin here end. */
function plainTo(data, from) {
  const most = Math.min(data.length, from + CHARACTERS_MAX);
  let at = from;
  while (at < most && data[at] < 0x80) at += 1;
  return at;
}

/** The character that begins here with a byte of another range, and its bytes. */
function pointAt(data, at) {
  const first = data[at];
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  const least = [0, 0, 0x80, 0x800, 0x10000][length];
  let point = first & (0xff >> (length + 1));
  let isGood = first >= 0xc2 && first <= 0xf4 && at + length <= data.length;
  for (let i = at + 1; isGood && i < at + length; i += 1) {
    isGood = (data[i] & 0xc0) === 0x80;
    point = (point << 6) | (data[i] & 0x3f);
  }
  const isSurrogate = point >= 0xd800 && point <= 0xdfff;
  if (!isGood || point < least || point > 0x10ffff || isSurrogate) {
    throw new Error(`byte ${at + 1} is not UTF-8`);
  }
  return [point, length];
}

/** Text as UTF-8; half of a surrogate pair becomes the sign for what is no character. */
function utf8(string) {
  const out = [];
  for (const character of string) {
    let point = character.codePointAt(0);
    if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x80) {
      out.push(point);
    } else if (point < 0x800) {
      out.push(0xc0 | (point >> 6), 0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
      out.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    } else {
      out.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f));
      out.push(0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    }
  }
  return new Uint8Array(out);
}
