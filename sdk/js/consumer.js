// Consumers for millrace in JavaScript: an object whose functions are called as the records of a
// shard come, and one line that makes the exports of a component of it. What a batch writes to
// tables and emits becomes durable with it or not at all.

import * as checkpoints from "millrace:plugin/checkpoint@0.1.0";
import * as streams from "millrace:plugin/emit@0.1.0";
import * as tables from "millrace:plugin/table@0.1.0";
import { answered, bytes, lifecycle, reason, text } from "./millrace.js";

export { Retry, config, counter, log, nowMs } from "./millrace.js";

/** A record of a batch, with `partitionKey`, `sequenceNumber`, `subSequenceNumber`, `arrivalMs`. */
export class Record {
  constructor(fields) {
    Object.assign(this, fields);
  }

  /** The data as text; throws where it is not UTF-8. */
  text() {
    return text(this.data);
  }

  /** The data as a value; throws where it is not JSON. */
  json() {
    return JSON.parse(this.text());
  }
}

/** A table by name, which the operator must have granted. Keys and values are bytes or text. */
export const table = (name) => ({
  /** The value as bytes; undefined where there is none. */
  get: (key) => asked(() => tables.get(name, bytes(key))) ?? undefined,

  /** The value as text; undefined where there is none. */
  getText(key) {
    const value = this.get(key);
    return value === undefined ? undefined : text(value);
  },

  put: (key, value) => asked(() => tables.put(name, bytes(key), bytes(value))),

  delete: (key) => asked(() => tables.delete(name, bytes(key))),

  /** Entries `{ key, value }` as bytes, in order of their keys, from `first` on. */
  scan: ({ prefix = "", first = "", limit = 1000 } = {}) =>
    asked(() => tables.scan(name, bytes(prefix), bytes(first), limit)),
});

/** Puts a record into another stream, which the operator must have granted. */
export function emit(stream, partitionKey, data) {
  const slab = (all) => ({ bytes: all, ends: [all.length] });
  asked(() => streams.putRecords(stream, slab(bytes(partitionKey)), slab(bytes(data))));
}

/** The first so many records of the batch are done, whatever becomes of the rest. */
export const done = (records) => asked(() => checkpoints.done(records));

/**
 * The exports of a consumer: `export const { lifecycle, recordProcessorSimple } = consumer(work)`.
 *
 * `work.process(records, millisBehind)` works on one batch of `Record`s. What it throws fails the
 * batch; a `Retry` has it tried again. All others may be missing: `work.start(assignment)` once for
 * the shard of the instance, `work.shardEnded()`, `work.shutdownRequested()` and `work.leaseLost()`.
 * Options are those of a transform.
 */
export function consumer(work, options = {}) {
  const call = (name, ...values) => told(() => work[name]?.(...values));
  const recordProcessorSimple = {
    initialize: (assignment) => call("start", assignment),
    process(records, millisBehind) {
      const all = records.map((record) => new Record(record));
      answered(() => work.process(all, millisBehind));
    },
    leaseLost: () => call("leaseLost"),
    shardEnded: () => call("shardEnded"),
    shutdownRequested: () => call("shutdownRequested"),
  };
  return { lifecycle: lifecycle(options), recordProcessorSimple };
}

/** Calls the host, and throws an error that has its words. */
function asked(call) {
  try {
    return call();
  } catch (error) {
    throw error instanceof Error ? error : new Error(String(error));
  }
}

/** Calls the author's function, and throws its words for the host. */
function told(call) {
  try {
    call();
  } catch (error) {
    throw reason(error);
  }
}
