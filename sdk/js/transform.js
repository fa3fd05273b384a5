// Transforms for millrace in JavaScript: one function for a record, and one line that makes the
// exports of a component of it.

import * as columns from "millrace:plugin/records@0.1.0";
import { Retry, answered, bytes, lifecycle, reason, strings, text } from "./millrace.js";

export { NoAnswer, fetch } from "./http.js";
export { Retry, config, counter, log, nowMs, secret, secretText } from "./millrace.js";

/** The record goes on as it is. */
export const keep = () => ({ kind: "keep" });

/**
 * These bytes or this text go on in its place. `partitionKeys`, names and values, are for prefixes
 * with dynamic partitioning; `target` is a destination by name.
 */
export const replace = (data, options = {}) => ({ kind: "parts", parts: [{ data, ...options }] });

/** It is left out on purpose. */
export const drop = () => ({ kind: "parts", parts: [] });

/** Each part goes on as a record of its own; without parts the record is left out. */
export const split = (parts) => ({ kind: "parts", parts: [...parts].map((data) => ({ data })) });

/** What a function is given: one record of a batch. */
export class Record {
  #index;
  #batch;

  constructor(index, data, batch) {
    /** What the producer sent, as bytes. */
    this.data = data;
    this.#index = index;
    this.#batch = batch;
  }

  /** The data as text; throws where it is not UTF-8. */
  text() {
    return text(this.data);
  }

  /** The data as a value; throws where it is not JSON. */
  json() {
    return JSON.parse(this.text());
  }

  /** What the producer chose to share a shard; empty where records have none. */
  partitionKey() {
    return this.#batch.partitionKeys()[this.#index];
  }

  /** When it arrived, in milliseconds since 1970. */
  arrivalMs() {
    return this.#batch.arrivalsMs()[this.#index];
  }
}

/** What the host knows of a batch, asked for once and only if a record does. */
class Batch {
  #partitionKeys;
  #arrivalsMs;

  partitionKeys() {
    this.#partitionKeys ??= strings(columns.partitionKeys());
    return this.#partitionKeys;
  }

  arrivalsMs() {
    this.#arrivalsMs ??= columns.arrivalsMs();
    return this.#arrivalsMs;
  }
}

/**
 * The exports of a transform: `export const { lifecycle, transformSimple } = transform(work)`.
 *
 * `work` is called with each `Record`, in order, and returns what `keep`, `replace`, `drop` or
 * `split` gives. One that throws fails its record, with the error's message as the reason, and the
 * others of the batch go on; a `Retry` has the whole batch tried again. Options: `init`, called once
 * on each instance before the first record, and the `name` and `version` of the plugin.
 */
export function transform(work, options = {}) {
  const transformSimple = {
    transform(records) {
      const batch = new Batch();
      const one = ({ index, data }) => workOn(work, new Record(index, data, batch), index);
      return answered(() => records.flatMap(one));
    },
  };
  return { lifecycle: lifecycle(options), transformSimple };
}

function workOn(work, record, index) {
  try {
    const output = work(record);
    switch (output?.kind) {
      case "keep":
        return [out(index, "ok", record.data)];
      case "parts":
        if (output.parts.length === 0) return [out(index, "dropped", "")];
        return output.parts.map((part) => out(index, "ok", part.data, part));
      default:
        throw new TypeError("the function returned none of keep(), replace(), drop() and split()");
    }
  } catch (error) {
    if (error instanceof Retry) throw error;
    return [out(index, "failed", reason(error))];
  }
}

const out = (index, status, data, { partitionKeys = {}, target = null } = {}) => ({
  index,
  status,
  data: bytes(data),
  partitionKeys: Object.entries(partitionKeys),
  target,
});
