// What becomes of each record: words are counted in a table, and each new one is told to a stream.

import { config, consumer, counter, emit, table } from "./millrace/sdk/js/consumer.js";

const counts = table("counts");

// Counts the words of all records.
function process(records) {
  for (const record of records) {
    for (const word of record.text().toLowerCase().match(/\w+/g) ?? []) count(word);
  }
}

function count(word) {
  const before = Number(counts.getText(word) ?? 0);
  counts.put(word, String(before + 1));
  if (before > 0) return;
  counter("new_words");
  const stream = config("new_words");
  if (stream !== undefined) emit(stream, word, word);
}

export const { lifecycle, recordProcessorSimple } = consumer({ process }, { name: "{{name}}" });
