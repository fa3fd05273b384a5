// The JS SDK puts and gets with its default handler, which speaks cleartext HTTP/2 from the first
// byte on.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  PutRecordCommand,
  PutRecordsCommand,
  ResourceNotFoundException,
} from "@aws-sdk/client-kinesis";

let server;
let directory;
let client;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "millrace-conformance-"));
  const data = ["--data", join(directory, "data"), "--listen", "127.0.0.1:0"];
  server = spawn(process.env.MILLRACE, ["serve", ...data], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  client = new KinesisClient({
    endpoint: await endpointOf(server),
    region: "eu-central-1",
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
    maxAttempts: 1,
  });
});

after(async () => {
  client?.destroy();
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

test("the default handler is the one for HTTP/2", () => {
  assert.equal(client.config.requestHandler.metadata.handlerProtocol, "h2");
});

test("a record put by the SDK is read by the SDK", async () => {
  const StreamName = "sdk";
  await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
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
  await client.send(new CreateStreamCommand({ StreamName, ShardCount: 2 }));
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
