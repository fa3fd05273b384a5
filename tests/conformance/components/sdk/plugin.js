// Every answer that a transform has, by what a record says: for the tests of the SDK.

import { NoAnswer, Retry, fetch, secret, secretText } from "./millrace/sdk/js/transform.js";
import { drop, keep, replace, split, transform } from "./millrace/sdk/js/transform.js";

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
    case "tell":
      return replace(`${secretText(words[1])}\n`);
    case "call":
      return replace(called(words[1]));
    case "try":
      return replace(tried(words[1]));
    case "retry":
      throw new Retry("not now");
    case "nothing":
      return undefined;
    default:
      throw new Error(`no such word: ${words[0]}`);
  }
}

function called(url) {
  const headers = { "X-Api-Key": secret("api_key"), "Content-Type": "text/plain" };
  const response = fetch(url, { method: "POST", headers, body: "grüß gott" });
  return `${response.status} ${response.headers.get("X-Answer")}: ${response.text()}\n`;
}

function tried(url) {
  try {
    return called(url);
  } catch (error) {
    if (error instanceof NoAnswer) return "no answer\n";
    throw error;
  }
}

export const { lifecycle, transformSimple } = transform(answer, { name: "answers" });
