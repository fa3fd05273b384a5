// Calls over HTTP to servers that the plugin's manifest asks for in `[grants]`, as `host:port`, and
// that the operator granted it. A batch that is worked on again makes its calls again, so that a
// server hears of a record at least once.

import * as host from "millrace:plugin/http@0.1.0";
import { Retry, bytes, text } from "./millrace.js";

/**
 * A call that has no answer, or not in time: a later one may have one. It is a `Retry`, so that the
 * whole batch is tried again where nobody catches it.
 */
export class NoAnswer extends Retry {}

/** The headers of an answer. Iterated, they are pairs of a name in lower case and a value. */
export class Headers {
  #pairs;

  constructor(pairs) {
    this.#pairs = pairs;
  }

  /** The value of a header, several joined by a comma; null where there is none. */
  get(name) {
    const key = name.toLowerCase();
    const values = this.#pairs.filter(([other]) => other === key).map(([, value]) => value);
    return values.length === 0 ? null : values.join(", ");
  }

  has(name) {
    return this.get(name) !== null;
  }

  [Symbol.iterator]() {
    return this.#pairs[Symbol.iterator]();
  }
}

/** What a server answered, with `status`, and whether that says that all went well, `ok`. */
export class Response {
  #body;

  constructor({ status, headers, body }) {
    this.status = status;
    this.ok = status >= 200 && status < 300;
    this.headers = new Headers(headers.map(([name, value]) => [name, fromLatin1(value)]));
    this.#body = body;
  }

  bytes() {
    return this.#body;
  }

  /** The body as text; throws where it is not UTF-8. */
  text() {
    return text(this.#body);
  }

  /** The body as a value; throws where it is not JSON. */
  json() {
    return JSON.parse(this.text());
  }
}

/**
 * Makes a call, and answers with a `Response` once all of it is there: there is no promise, and
 * nothing to wait for. `headers` are an object or pairs, `body` is bytes or text.
 *
 * Whatever the status is, it is an answer. A call that may not be made throws an `Error` with what
 * is wrong with it, or what to write where so that it is granted; one without an answer throws a
 * `NoAnswer`.
 */
export function fetch(url, { method = "GET", headers = {}, body } = {}) {
  const pairs = typeof headers[Symbol.iterator] === "function" ? headers : Object.entries(headers);
  const request = {
    method,
    url: String(url),
    headers: Array.from(pairs, ([name, value]) => [name, headerBytes(name, value)]),
    body: bodyBytes(body ?? ""),
  };
  return new Response(called(request));
}

/** Makes a call; what the host throws has the case of its error as `payload`. */
function called(request) {
  try {
    return host.fetch(request);
  } catch (error) {
    switch (error.payload?.tag) {
      case "refused":
        throw new Error(error.payload.val);
      case "failed":
        throw new NoAnswer(error.payload.val);
      default:
        throw error;
    }
  }
}

function bodyBytes(body) {
  if (typeof body !== "string" && !(body instanceof Uint8Array)) {
    throw new TypeError("the body of a call is neither a Uint8Array nor text");
  }
  return bytes(body);
}

/** The value of a header: bytes, or text of which each character is one byte, as HTTP has it. */
function headerBytes(name, value) {
  if (value instanceof Uint8Array) return value;
  return Uint8Array.from(String(value), (character) => {
    const point = character.codePointAt(0);
    if (point > 0xff) throw new TypeError(`the header ${name} has a character that is no byte`);
    return point;
  });
}

const fromLatin1 = (data) => Array.from(data, (byte) => String.fromCharCode(byte)).join("");
