// Consumers for millrace in JavaScript: an object whose functions are called as the records of a
// shard come, and one line that makes the exports of a component of it. What a batch writes to
// tables and emits becomes durable with it or not at all.

import * as checkpoints from "millrace:plugin/checkpoint@0.1.0";
import * as streams from "millrace:plugin/emit@0.1.0";
import * as tables from "millrace:plugin/table@0.1.0";
import { answered, asked, bytes, lifecycle, reason, text } from "./millrace.js";

export { NoAnswer, fetch } from "./http.js";
export { Retry, config, counter, log, nowMs, secret, secretText } from "./millrace.js";

/** Bytes, as `data`, that can be read as text or as a value. */
class Readable {
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

/** A record of a batch, with `partitionKey`, `sequenceNumber`, `subSequenceNumber`, `arrivalMs`. */
export class Record extends Readable {}

/** What a snapshot gave, and `version`, the `stateVersion` of whoever gave it. */
export class State extends Readable {}

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
 *
 * One that keeps something in its memory from batch to batch exports `state` too, and its manifest
 * has `state = true` in `[build]`. `work.snapshot()` gives the state, bytes or text of at most
 * 256 KiB: it is asked for after each batch and kept with it, in the same commit.
 * `work.restore(state)` takes a `State` over, right after `start`, after a crash or from another
 * version of the plugin; where it throws, the version before goes on. The option `stateVersion` says
 * which layout the snapshot has.
 */
export function consumer(work, options = {}) {
  const call = (name, ...values) => told(() => work[name]?.(...values));
  const state = {
    stateVersion: () => options.stateVersion ?? 0,
    snapshot: () => told(() => bytes(work.snapshot?.() ?? "")),
    restore: (version, data) => told(() => takeOver(work, new State({ version, data }))),
  };
  const recordProcessorSimple = {
    initialize: (assignment) => void call("start", assignment),
    process(records, millisBehind) {
      const all = records.map((record) => new Record(record));
      answered(() => work.process(all, millisBehind));
    },
    leaseLost: () => void call("leaseLost"),
    shardEnded: () => void call("shardEnded"),
    shutdownRequested: () => void call("shutdownRequested"),
  };
  return { lifecycle: lifecycle(options), recordProcessorSimple, state };
}

/** Hands a state over; one that is empty is that of a version which kept nothing. */
function takeOver(work, state) {
  if (work.restore) {
    work.restore(state);
  } else if (state.data.length > 0) {
    const size = `${state.data.length} bytes`;
    throw new Error(`there is a state of version ${state.version}, of ${size}, and no restore()`);
  }
}

/** What the author's function returns; what it throws, as words for the host. */
function told(call) {
  try {
    return call();
  } catch (error) {
    throw reason(error);
  }
}
