// A consumer that counts the records of each partition key in the table `counts`. `jco` makes a
// component of it for the world stateful-consumer-simple, whose state is how many records there were.

import { get, put } from "millrace:plugin/table@0.1.0";
import { putRecords } from "millrace:plugin/emit@0.1.0";

// QuickJS has no TextEncoder. Keys and counts are ASCII here.
const text = (ascii) => String.fromCharCode(...ascii);
const bytes = (ascii) => Uint8Array.from(ascii, (letter) => letter.charCodeAt(0));
let seen = 0;

export const lifecycle = {
  describe() {
    return { name: "count", version: "1" };
  },
  init() {},
};

export const recordProcessorSimple = {
  initialize(assignment) {
    put("counts", bytes("shard"), bytes(assignment.shard));
  },
  process(records) {
    for (const { data, partitionKey, sequenceNumber } of records) {
      const key = bytes(partitionKey);
      const before = get("counts", key);
      const count = before ? Number(text(before)) + 1 : 1;
      put("counts", key, bytes(String(count)));
      const line = bytes(`${sequenceNumber} ${text(data)}`);
      putRecords(
        "seen",
        { bytes: key, ends: new Uint32Array([key.length]) },
        { bytes: line, ends: new Uint32Array([line.length]) },
      );
      seen += 1;
    }
  },
  leaseLost() {},
  shardEnded() {},
  shutdownRequested() {},
};

export const state = {
  stateVersion() {
    return 1;
  },
  snapshot() {
    return bytes(String(seen));
  },
  restore(version, kept) {
    seen = Number(text(kept));
  },
};
