// What becomes of each record.

import { config, counter, drop, replace, transform } from "./millrace/sdk/js/transform.js";

let greeting;

// Called once on each instance. A version whose `init` throws is not taken.
function init() {
  greeting = config("greeting");
  if (greeting === undefined) throw new Error("config greeting: missing");
}

// Greets whom a record names, a line each. A record without a name is left out; one that is no text
// fails, and is kept with the reason beside the others.
function greet(record) {
  const name = record.text().trim();
  if (name === "") {
    counter("without_name");
    return drop();
  }
  return replace(`${greeting}, ${name}!\n`);
}

export const { lifecycle, transformSimple } = transform(greet, { name: "{{name}}", init });
