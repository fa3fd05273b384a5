// What becomes of the records of a shard: they and their words are counted, and every so many
// records the totals are told to a stream.

import { config, consumer, emit } from "./millrace/sdk/js/consumer.js";

let every, shard;
// What goes on in the instance that comes after this one.
let totals = { records: 0, words: 0 };

// Called once for the shard of the instance.
function start(assignment) {
  shard = assignment.shard;
  every = Number(config("every") ?? 1000);
  if (!(every >= 1)) throw new Error("config every: not a number from 1 on");
}

function process(records) {
  for (const record of records) {
    totals.records += 1;
    totals.words += (record.text().match(/\w+/g) ?? []).length;
    if (totals.records % every === 0) {
      emit("totals", shard, `${totals.records} records, ${totals.words} words`);
    }
  }
}

// Asked for after each batch, and kept with it.
const snapshot = () => JSON.stringify(totals);

// Takes over what an instance before this one kept: `state.version` is its `stateVersion`.
function restore(state) {
  if (state.version !== 1) throw new Error(`a state of version ${state.version}, not 1`);
  totals = state.json();
}

const work = { start, process, snapshot, restore };
const options = { name: "{{name}}", stateVersion: 1 };
export const { lifecycle, recordProcessorSimple, state } = consumer(work, options);
