// The same function as `handler.py`, as it would be written for Node.js.

const ANSWERS = {
  drop: { result: "Dropped" },
  fail: { result: "ProcessingFailed", data: "" },
  "no-result": { data: "" },
  "wrong-result": { result: "Fine", data: "" },
  "no-data": { result: "Ok" },
  "no-base64": { result: "Ok", data: "#" },
};

export const handler = async (event, context) => {
  const records = event.records.flatMap((record) => answers(record, event, context));
  return { records };
};

export function answers(record, event, context) {
  const data = Buffer.from(record.data, "base64");
  const [word, ...words] = data.toString("utf-8").split(" ");
  const rest = words.join(" ");
  const own = { recordId: record.recordId };
  if (word in ANSWERS) return [{ ...own, ...ANSWERS[word] }];
  switch (word) {
    case "upper":
      return [{ ...own, ...ok(Buffer.from(`${rest.toUpperCase()}\n`)) }];
    case "keys":
      return [{ ...own, ...keyed(data, { customer: words[0], kind: words[1] }) }];
    case "empty-key":
      return [{ ...own, ...keyed(data, { customer: "", kind: rest }) }];
    case "number-key":
      return [{ ...own, ...keyed(data, { customer: 7, kind: rest }) }];
    case "told":
      return [{ ...own, ...ok(told(record, event, context)) }];
    case "large":
      return [{ ...own, result: "Ok", data: "A".repeat(7_000_000) }];
    case "kilobytes":
      return [{ ...own, ...ok(Buffer.alloc(1024 * Number(rest), "x")) }];
    case "raise":
      throw new RangeError(rest);
    case "missing":
      return [];
    case "renamed":
      return [{ ...ok(Buffer.alloc(0)), recordId: "another" }];
    case "twice":
      return [{ ...own, ...ok(Buffer.alloc(0)) }, { ...own, ...ok(Buffer.alloc(0)) }];
    case "unknown":
      return [{ ...own, ...ok(Buffer.alloc(0)) }, { recordId: "of nobody", ...ok(data) }];
    default:
      return [{ ...own, ...ok(data.reverse()) }];
  }
}

const ok = (data) => ({ result: "Ok", data: data.toString("base64") });

const keyed = (data, partitionKeys) => ({
  ...ok(Buffer.concat([data, Buffer.from("\n")])),
  metadata: { partitionKeys },
});

// What the function is told besides data.
function told({ data, ...record }, { records, ...event }, { awsRequestId, functionName }) {
  const line = { event, record, requestId: awsRequestId, function: functionName };
  return Buffer.from(`${JSON.stringify(line)}\n`);
}
