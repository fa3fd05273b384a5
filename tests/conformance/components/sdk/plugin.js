// Every answer that a transform has, by what a record says: for the tests of the SDK.

import { Retry, drop, keep, replace, split, transform } from "./millrace/sdk/js/transform.js";

function answer(record) {
  const words = record.text().split(" ");
  switch (words[0]) {
    case "keep":
      return keep();
    case "drop":
      return drop();
    case "split":
      return split(words.slice(1).map((word) => `${record.partitionKey()}:${word}`));
    case "route":
      return replace(`at ${record.arrivalMs()}`, {
        partitionKeys: { customer: record.partitionKey() },
        target: words[1],
      });
    case "retry":
      throw new Retry("not now");
    case "nothing":
      return undefined;
    default:
      throw new Error(`no such word: ${words[0]}`);
  }
}

export const { lifecycle, transformSimple } = transform(answer, { name: "answers" });
