// The JS SDK puts and gets with its default handlers: that of Data Streams speaks cleartext HTTP/2
// from the first byte on, that of Data Firehose HTTP/1.1.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

import {
  CreateDeliveryStreamCommand,
  DescribeDeliveryStreamCommand,
  FirehoseClient,
  InvalidArgumentException,
  PutRecordBatchCommand,
} from "@aws-sdk/client-firehose";
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  PutRecordCommand,
  PutRecordsCommand,
  RegisterStreamConsumerCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  SplitShardCommand,
  SubscribeToShardCommand,
  waitUntilStreamExists,
} from "@aws-sdk/client-kinesis";

let server;
let directory;
let client;
let firehose;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "millrace-conformance-"));
  const data = ["--data", join(directory, "data"), "--listen", "127.0.0.1:0"];
  server = spawn(process.env.MILLRACE, ["serve", ...data], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const configuration = {
    endpoint: await endpointOf(server),
    region: "eu-central-1",
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
    maxAttempts: 1,
  };
  client = new KinesisClient(configuration);
  firehose = new FirehoseClient(configuration);
});

after(async () => {
  client?.destroy();
  firehose?.destroy();
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGTERM");
  assert.equal(await ended, 0);
  rmSync(directory, { recursive: true });
});

async function endpointOf(server) {
  for await (const line of createInterface({ input: server.stdout })) {
    const found = line.match(/http:\/\/[\d.]+:\d+/);
    if (found) {
      // What the server prints later must not fill the pipe.
      server.stdout.resume();
      return found[0];
    }
  }
  throw new Error("the server named no endpoint");
}

// Makes a stream and waits until it is ACTIVE.
async function create(StreamName, ShardCount) {
  await client.send(new CreateStreamCommand({ StreamName, ShardCount }));
  const patience = { client, minDelay: 1, maxDelay: 1, maxWaitTime: 30 };
  await waitUntilStreamExists(patience, { StreamName });
}

test("the default handlers are the ones for HTTP/2 and HTTP/1.1", () => {
  assert.equal(client.config.requestHandler.metadata.handlerProtocol, "h2");
  assert.equal(firehose.config.requestHandler.metadata.handlerProtocol, "http/1.1");
});

test("a record put by the SDK is read by the SDK", async () => {
  const StreamName = "sdk";
  await create(StreamName, 1);
  const summary = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
  assert.equal(summary.StreamDescriptionSummary.StreamStatus, "ACTIVE");
  assert.ok(summary.StreamDescriptionSummary.StreamCreationTimestamp instanceof Date);

  const Data = new TextEncoder().encode("hello");
  const put = await client.send(new PutRecordCommand({ StreamName, Data, PartitionKey: "a" }));
  const Records = [1, 2, 3].map((n) => ({ Data: Uint8Array.of(n), PartitionKey: "a" }));
  const many = await client.send(new PutRecordsCommand({ StreamName, Records }));
  assert.equal(many.FailedRecordCount, 0);

  const { Shards } = await client.send(new ListShardsCommand({ StreamName }));
  assert.equal(Shards.length, 1);
  const { ShardIterator } = await client.send(
    new GetShardIteratorCommand({
      StreamName,
      ShardId: put.ShardId,
      ShardIteratorType: "TRIM_HORIZON",
    }),
  );
  const got = await client.send(new GetRecordsCommand({ ShardIterator }));
  const texts = got.Records.map((record) => Buffer.from(record.Data).toString("hex"));
  assert.deepEqual(texts, [Buffer.from("hello").toString("hex"), "01", "02", "03"]);
  assert.equal(got.Records[0].SequenceNumber, put.SequenceNumber);
  assert.ok(got.Records[0].ApproximateArrivalTimestamp instanceof Date);
});

test("many requests share one connection at the same time", async () => {
  const StreamName = "sdk-many";
  await create(StreamName, 2);
  const puts = Array.from({ length: 100 }, (_, n) =>
    client.send(
      new PutRecordCommand({ StreamName, Data: Buffer.alloc(1000), PartitionKey: `key-${n}` }),
    ),
  );
  const numbers = (await Promise.all(puts)).map((put) => `${put.ShardId} ${put.SequenceNumber}`);
  assert.equal(new Set(numbers).size, 100);
});

test("an error arrives as the class of its code", async () => {
  const describe = new DescribeStreamSummaryCommand({ StreamName: "no-such-stream" });
  await assert.rejects(client.send(describe), (error) => {
    assert.ok(error instanceof ResourceNotFoundException);
    assert.match(error.message, /no-such-stream/);
    return true;
  });
});

const Destination = {
  RoleARN: "arn:aws:iam::000000000000:role/any",
  BucketARN: "arn:aws:s3:::sdk-objects",
  BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 0 },
};

async function described(DeliveryStreamName) {
  const describe = new DescribeDeliveryStreamCommand({ DeliveryStreamName });
  return (await firehose.send(describe)).DeliveryStreamDescription;
}

test("a batch goes through a delivery stream into an object", { timeout: 30_000 }, async () => {
  const DeliveryStreamName = "sdk-delivery";
  const made = await firehose.send(
    new CreateDeliveryStreamCommand({
      DeliveryStreamName,
      ExtendedS3DestinationConfiguration: Destination,
    }),
  );
  assert.match(made.DeliveryStreamARN, /:deliverystream\/sdk-delivery$/);
  let stream = await described(DeliveryStreamName);
  while (stream.DeliveryStreamStatus !== "ACTIVE") {
    stream = await described(DeliveryStreamName);
  }
  assert.ok(stream.CreateTimestamp instanceof Date);
  const [destination] = stream.Destinations;
  assert.deepEqual(destination.ExtendedS3DestinationDescription.BufferingHints, {
    SizeInMBs: 1,
    IntervalInSeconds: 0,
  });

  const Records = ["one\n", "two\n"].map((text) => ({ Data: new TextEncoder().encode(text) }));
  const put = await firehose.send(new PutRecordBatchCommand({ DeliveryStreamName, Records }));
  assert.equal(put.FailedPutCount, 0);
  assert.equal(new Set(put.RequestResponses.map((response) => response.RecordId)).size, 2);

  let objects = objectsOf("sdk-objects");
  while (objects.length === 0) {
    // An answer of the server takes longer than looking.
    await described(DeliveryStreamName);
    objects = objectsOf("sdk-objects");
  }
  assert.deepEqual(objects, ["one\ntwo\n"]);
});

// The texts of a bucket's objects.
function objectsOf(bucket) {
  const root = join(directory, "data", "s3");
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const below = join(root, bucket, "/");
  return files.filter((file) => file.startsWith(below)).map((file) => readFileSync(file, "utf8"));
}

test("an error of a delivery stream arrives as the class of its code", async () => {
  const create = new CreateDeliveryStreamCommand({ DeliveryStreamName: "without-destination" });
  await assert.rejects(firehose.send(create), (error) => {
    assert.ok(error instanceof InvalidArgumentException);
    assert.match(error.message, /^Exactly one destination configuration is supported/);
    return true;
  });
});

test("records are pushed over HTTP/2 until their shard ends", { timeout: 30_000 }, async () => {
  const StreamName = "sdk-pushed";
  await create(StreamName, 1);
  const describe = new DescribeStreamSummaryCommand({ StreamName });
  const { StreamARN } = (await client.send(describe)).StreamDescriptionSummary;
  const register = new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: "app" });
  const { ConsumerARN } = (await client.send(register)).Consumer;
  const put = (text) => {
    const Data = new TextEncoder().encode(text);
    return client.send(new PutRecordCommand({ StreamName, Data, PartitionKey: "a" }));
  };
  await put("before");
  const ShardId = "shardId-000000000000";
  const StartingPosition = { Type: "TRIM_HORIZON" };
  const subscribe = new SubscribeToShardCommand({ ConsumerARN, ShardId, StartingPosition });
  const { EventStream } = await client.send(subscribe);
  await assert.rejects(client.send(subscribe), ResourceInUseException);
  await put("after");
  const half = (2n ** 127n).toString();
  const split = { StreamName, ShardToSplit: ShardId, NewStartingHashKey: half };
  await client.send(new SplitShardCommand(split));
  const texts = [];
  let last;
  for await (const { SubscribeToShardEvent: event } of EventStream) {
    last = event;
    texts.push(...event.Records.map((record) => new TextDecoder().decode(record.Data)));
  }
  assert.deepEqual(texts, ["before", "after"]);
  assert.equal(last.ChildShards.length, 2);
  assert.equal(last.ContinuationSequenceNumber, undefined);
});
