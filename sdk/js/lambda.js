// Functions for AWS Lambda as transforms: a handler that Data Firehose calls with an event, and
// whose answer it takes, goes on as it is. The event holds what the host knows, in the members that
// AWS gives it, and the answer is judged by AWS's rules (developer guide, "Transform source data in
// Amazon Data Firehose").
//
// Import this before the handler: what it finds in Node.js is made here.

import "./node.js";
import * as columns from "millrace:plugin/records@0.1.0";
import { Handler } from "./call.js";
import { Retry, answered, lifecycle, reason, strings } from "./millrace.js";

export { NoAnswer, fetch } from "./http.js";
export { Retry, config, counter, log, nowMs, secret, secretText } from "./millrace.js";

/** Bytes of an answer, as Lambda has them (quotas, "Invocation payload"): 6 MiB and a little. */
const ANSWER_BYTES_MAX = 6_291_556;

/** What AWS says of a function that failed, and of answers that it cannot take. */
const FAILED = "The Lambda function was successfully invoked but it returned an error result.";
const NOT_PARSED =
  "Lambda.JsonProcessingException: There was an error parsing returned records from the Lambda " +
  "function. Ensure that the returned records follow the status model required by Amazon Data " +
  "Firehose.";
const WITHOUT_DATA =
  "Lambda.InvalidReturnFormat: The data field cannot be null when the SourceType is DirectPut or " +
  "KinesisStreamAsSource and processing result is Ok.";

/**
 * The exports of a transform: `export const { lifecycle, transformSimple } = fromLambda(handler)`.
 *
 * `handler(event, context, callback)` answers `{ records }`, at once, by a promise or to the
 * callback. One that throws has the batch tried again, as often as `NumberOfRetries` says; then,
 * and at once after an answer that breaks the rules, the host calls it with each record alone, so
 * that only those fail that fail alone. Options are those of a transform; `name` is the function's
 * name, too.
 */
export function fromLambda(handler, options = {}) {
  const called = new Handler(handler);
  const transformSimple = {
    transform: (records) => answered(() => workOn(called, records, options)),
  };
  return { lifecycle: lifecycle(options), transformSimple };
}

/** An answer that Firehose does not take. The host knows some of them by the outputs. */
class WrongAnswer extends Error {
  constructor(message, outputs) {
    super(message);
    this.outputs = outputs;
  }
}

function workOn(handler, records, options) {
  const event = eventOf(records);
  const ids = event.records.map((record) => record.recordId);
  const answer = answerOf(handler, event, contextOf(event, options));
  try {
    return outputs(parsed(answer), ids);
  } catch (error) {
    if (!(error instanceof WrongAnswer)) throw error;
    // No outputs at all have the host call for each record alone.
    if (records.length > 1) return [];
    if (error.outputs) return error.outputs;
    throw error;
  }
}

/** What the handler is called with: what is known of the records, and no members besides. */
function eventOf(records) {
  const { arn, shard } = columns.source();
  const [, , service, region] = arn.split(":");
  const numbers = columns.sequenceNumbers();
  const subNumbers = columns.subSequenceNumbers();
  const arrivals = columns.arrivalsMs();
  const keys = strings(columns.partitionKeys());
  const ids = uniqueIds(arrivals, numbers, subNumbers);
  const metadata = (place) => ({
    shardId: shard,
    ...(keys.length > 0 && { partitionKey: keys[place] }),
    approximateArrivalTimestamp: arrivals[place],
    subsequenceNumber: subNumbers[place],
  });
  return {
    invocationId: `${ids[0]}-${ids.length}`,
    ...(service === "kinesis" && { sourceKinesisStreamArn: arn }),
    ...(service === "firehose" && { deliveryStreamArn: arn }),
    ...(region && { region }),
    records: records.map(({ data }, place) => ({
      recordId: ids[place],
      approximateArrivalTimestamp: arrivals[place],
      data: data.toBase64(),
      ...(shard && { kinesisRecordMetadata: metadata(place) }),
    })),
  };
}

/**
 * An id for each record, the same in every try: its sequence number, of which the engine keeps the
 * first 53 bits of each word. Records that were put to a delivery stream directly have none, and
 * their ids are their times and places in the batch.
 */
function uniqueIds(arrivals, numbers, subNumbers) {
  const seen = new Set();
  return arrivals.map((arrival, place) => {
    const number = numbers[place];
    const words = number
      ? [number.high, number.middle, number.low, subNumbers[place]]
      : [arrival, place];
    const id = words.join("-");
    // What one record was taken apart into has one number.
    const unique = seen.has(id) ? `${id}-${place}` : id;
    seen.add(unique);
    return unique;
  });
}

/** What is true of the call. Nobody tells what time is left, nor under which version it runs. */
const contextOf = ({ invocationId }, { name }) => ({
  ...(name && { functionName: name }),
  awsRequestId: invocationId,
  callbackWaitsForEmptyEventLoop: true,
});

/** What the handler answers; what it throws is an error that AWS calls again for. */
function answerOf(handler, event, context) {
  try {
    return JSON.stringify(handler.answer(event, context)) ?? "null";
  } catch (error) {
    if (error instanceof Retry) throw error;
    const name = error instanceof Error ? `${error.name}: ` : "";
    throw new Retry(`${FAILED} ${name}${reason(error)}`);
  }
}

/** The records of an answer; none where it has none. */
function parsed(json) {
  const size = bytesOf(json);
  if (size > ANSWER_BYTES_MAX) {
    throw new WrongAnswer(
      `Response payload size (${size} bytes) exceeded maximum allowed payload size ` +
        `(${ANSWER_BYTES_MAX} bytes).`,
    );
  }
  const records = JSON.parse(json)?.records;
  return Array.isArray(records) ? records : [];
}

/** Bytes of a text as UTF-8, counted only where it could have too many. */
function bytesOf(string) {
  if (string.length > ANSWER_BYTES_MAX || string.length * 3 <= ANSWER_BYTES_MAX) {
    return string.length;
  }
  let size = 0;
  for (const character of string) {
    const point = character.codePointAt(0);
    size += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return size;
}

/** What becomes of the records with these ids, each of which must be answered once. */
function outputs(records, ids) {
  const places = new Map(ids.map((id, place) => [id, place]));
  const answers = new Array(ids.length);
  const unknown = [];
  for (const record of records) {
    const place = places.get(record?.recordId);
    if (place === undefined) {
      unknown.push(record?.recordId);
      continue;
    }
    if (answers[place]) {
      const twice = [out(place, "dropped"), out(place, "dropped")];
      throw new WrongAnswer("a record ID more than once", twice);
    }
    answers[place] = record;
  }
  if (answers.includes(undefined)) throw new WrongAnswer("no record ID", []);
  if (unknown.length > 0) {
    throw new WrongAnswer(`${NOT_PARSED} The record ID ${shown(unknown[0])} was not received.`);
  }
  return answers.map((answer, place) => output(place, answer));
}

function output(place, { result, data, metadata }) {
  switch (result) {
    case "Ok":
      return out(place, "ok", decoded(data), partitionKeys(metadata?.partitionKeys));
    case "Dropped":
      return out(place, "dropped");
    case "ProcessingFailed":
      return out(place, "failed");
    default:
      throw new WrongAnswer(
        `${NOT_PARSED} The result ${shown(result)} is none of Ok, Dropped and ProcessingFailed.`,
      );
  }
}

const out = (index, status, data = new Uint8Array(), keys = []) => ({
  index,
  status,
  data,
  partitionKeys: keys,
  target: null,
});

function decoded(data) {
  if (data === undefined || data === null) throw new WrongAnswer(WITHOUT_DATA);
  try {
    return Uint8Array.fromBase64(data, { lastChunkHandling: "strict" });
  } catch {
    throw new WrongAnswer(`${NOT_PARSED} The data is not base64.`);
  }
}

/** Names and values. Empty ones are left out: the delivery stream says that it misses them. */
function partitionKeys(keys) {
  const pairs = Object.entries(keys ?? {});
  const wrong = pairs.find(([, value]) => value !== null && typeof value !== "string");
  if (wrong) {
    throw new WrongAnswer(`${NOT_PARSED} The partition key ${shown(wrong[0])} is no string.`);
  }
  return pairs.filter(([, value]) => value);
}

/** The beginning of a value of the answer. */
const shown = (value) => String(JSON.stringify(value)).slice(0, 100);
