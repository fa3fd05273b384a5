// The Kinesis Client Library with this server alone: its streams, its leases, its coordinator's
// state and its workers' metrics, and the metrics that it publishes. The same with its leases in
// DynamoDB Local, to compare; and with a server that is killed in the middle.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.PutRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.dynamodb.services.local.embedded.DynamoDBEmbedded;
import software.amazon.dynamodb.services.local.shared.access.AmazonDynamoDBLocal;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.exceptions.ThrottlingException;
import software.amazon.kinesis.exceptions.KinesisClientLibDependencyException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.MetricsLevel;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.RetrievalSpecificConfig;
import software.amazon.kinesis.retrieval.fanout.FanOutConfig;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

public final class ConsumerTests {
    private static final int RECORDS = 5_000;
    private static final int RECORDS_AFTER_SPLIT = 3_000;
    private static final int RECORDS_OF_A_REQUEST = 500;
    private static final Duration PATIENCE = Duration.ofSeconds(150);
    private static final Pattern READY = Pattern.compile("^ready (http://127\\.0\\.0\\.1:(\\d+))");

    /** A test that may fail in any way. */
    private interface Check {
        void run() throws Exception;
    }

    /** A server, which may be killed and started again at the same place. */
    private static final class Server {
        final Path directory;
        Process process;
        URI endpoint;
        String port = "0";

        Server(Path directory) throws Exception {
            this.directory = directory;
            start();
        }

        void start() throws Exception {
            process = new ProcessBuilder(
                            System.getenv("MILLRACE"), "serve", "--no-throttle", "--data",
                            directory.resolve("data").toString(), "--listen", "127.0.0.1:" + port)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            Matcher ready = readyLine(process);
            endpoint = URI.create(ready.group(1));
            port = ready.group(2);
        }

        void kill() throws Exception {
            process.destroyForcibly().waitFor();
        }
    }

    private static int passed = 0;
    private static int failed = 0;

    public static void main(String[] arguments) throws Exception {
        Path directory = Files.createTempDirectory("millrace-conformance-");
        Server server = new Server(directory);
        Map<String, Map<String, String>> kept = new ConcurrentHashMap<>();
        try {
            check("KCL polls with this server alone, each record once, across a split",
                    () -> kept.put("polled", consume(server, "polled", null, polling("polled"))));
            check("KCL is pushed to with this server alone, each record once, across a split",
                    () -> consume(server, "pushed", null, pushing("pushed")));
            check("what KCL measures is shown", () -> measured(server.endpoint));
            check("KCL keeps the same in DynamoDB Local as here", () -> {
                AmazonDynamoDBLocal local = DynamoDBEmbedded.create(true);
                try {
                    kept.put("local", consume(server, "compared", local.dynamoDbAsyncClient(),
                            polling("compared")));
                } finally {
                    local.shutdown();
                }
                equal(true, kept.get("local").keySet().containsAll(
                        List.of("Leader", "Migration3.0", "shardId-000000000000", "worker")));
                equal(kept.get("local"), kept.get("polled"));
            });
            check("KCL goes on where it was after its server was killed",
                    () -> survive(server, "killed"));
        } finally {
            server.process.destroy();
            int ended = server.process.waitFor(30, TimeUnit.SECONDS)
                    ? server.process.exitValue() : -1;
            check("the server ends well", () -> equal(0, ended));
            try (var files = Files.walk(directory)) {
                files.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
            }
        }
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }

    private static Function<KinesisAsyncClient, RetrievalSpecificConfig> polling(String name) {
        return client -> new PollingConfig(name, client);
    }

    private static Function<KinesisAsyncClient, RetrievalSpecificConfig> pushing(String name) {
        return client -> new FanOutConfig(client).streamName(name).applicationName(name);
    }

    /** Reads all records of a stream that is split; what is kept of it, without what varies. */
    private static Map<String, String> consume(
            Server server,
            String name,
            DynamoDbAsyncClient elsewhere,
            Function<KinesisAsyncClient, RetrievalSpecificConfig> retrieval)
            throws Exception {
        Map<String, Integer> seen = new ConcurrentHashMap<>();
        try (KinesisAsyncClient client = streams(server.endpoint);
                DynamoDbAsyncClient here = tables(server.endpoint);
                CloudWatchAsyncClient metrics = metrics(server.endpoint)) {
            DynamoDbAsyncClient leases = elsewhere == null ? here : elsewhere;
            create(client, name, 2);
            Scheduler scheduler = scheduler(
                    configs(name, client, leases, metrics, seen), retrieval.apply(client));
            Thread worker = new Thread(scheduler);
            worker.setDaemon(true);
            worker.start();
            put(client, name, 0, RECORDS);
            waitFor(seen, RECORDS);
            split(client, name);
            put(client, name, RECORDS, RECORDS + RECORDS_AFTER_SPLIT);
            waitFor(seen, RECORDS + RECORDS_AFTER_SPLIT);
            waitForRow(leases, name, "WORKER_METRIC_STATS");
            Map<String, String> kept = shapes(rows(leases, name));
            scheduler.startGracefulShutdown().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            eachOnce(seen, RECORDS + RECORDS_AFTER_SPLIT);
            return kept;
        }
    }

    /** Reads on after the server was killed and started again. */
    private static void survive(Server server, String name) throws Exception {
        Map<String, Integer> seen = new ConcurrentHashMap<>();
        try (KinesisAsyncClient client = streams(server.endpoint);
                DynamoDbAsyncClient leases = tables(server.endpoint);
                CloudWatchAsyncClient metrics = metrics(server.endpoint)) {
            create(client, name, 2);
            Scheduler scheduler = scheduler(
                    configs(name, client, leases, metrics, seen), new PollingConfig(name, client));
            Thread worker = new Thread(scheduler);
            worker.setDaemon(true);
            worker.start();
            put(client, name, 0, RECORDS);
            waitFor(seen, RECORDS);
            waitForRow(leases, name, "WORKER_METRIC_STATS");
            var before = rows(leases, name);
            server.kill();
            server.start();
            var after = rows(leases, name);
            // Nothing that was answered is lost: leases, the leader, the migration, the worker.
            equal(before.keySet(), after.keySet());
            before.forEach((key, row) -> {
                if (row.containsKey("leaseCounter")) {
                    long counter = Long.parseLong(row.get("leaseCounter").n());
                    long now = Long.parseLong(after.get(key).get("leaseCounter").n());
                    equal(true, counter <= now);
                    BigInteger checkpoint = checkpoint(row);
                    equal(true, checkpoint.compareTo(checkpoint(after.get(key))) <= 0);
                }
            });
            put(client, name, RECORDS, RECORDS + RECORDS_AFTER_SPLIT);
            waitFor(seen, RECORDS + RECORDS_AFTER_SPLIT);
            scheduler.startGracefulShutdown().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            equal(RECORDS + RECORDS_AFTER_SPLIT, seen.size());
            // What was seen and not checkpointed when the server was killed may come again; what
            // came after it does not.
            IntStream.range(RECORDS, RECORDS + RECORDS_AFTER_SPLIT)
                    .forEach(n -> equal(1, seen.get(key(n))));
        }
    }

    private static BigInteger checkpoint(Map<String, AttributeValue> row) {
        String text = row.get("checkpoint").s();
        return Character.isDigit(text.charAt(0)) ? new BigInteger(text) : BigInteger.ZERO;
    }

    /** The metrics that KCL published are among those of the server. */
    private static void measured(URI endpoint) throws Exception {
        HttpRequest asks = HttpRequest.newBuilder(endpoint.resolve("/metrics")).build();
        long end = System.nanoTime() + PATIENCE.toNanos();
        CountDownLatch never = new CountDownLatch(1);
        String wanted = "millrace_cloudwatch_samples_total{account=\"000000000000\","
                + "namespace=\"polled\",metric=\"RecordsProcessed\"";
        while (true) {
            String text = HttpClient.newHttpClient()
                    .send(asks, HttpResponse.BodyHandlers.ofString()).body();
            if (text.contains(wanted)) {
                return;
            }
            if (System.nanoTime() > end) {
                throw new AssertionError("/metrics does not show " + wanted);
            }
            never.await(200, TimeUnit.MILLISECONDS);
        }
    }

    private static Map<String, Map<String, AttributeValue>> rows(
            DynamoDbAsyncClient leases, String table) {
        Map<String, Map<String, AttributeValue>> rows = new TreeMap<>();
        leases.scan(it -> it.tableName(table).consistentRead(true)).join().items()
                .forEach(row -> rows.put(row.get("leaseKey").s(), row));
        return rows;
    }

    /** For each row its attributes with their types; a worker's id is another each time. */
    private static Map<String, String> shapes(Map<String, Map<String, AttributeValue>> rows) {
        Map<String, String> shapes = new TreeMap<>();
        rows.forEach((key, row) -> {
            TreeSet<String> attributes = new TreeSet<>();
            row.forEach((name, value) -> attributes.add(name + " " + value.type()));
            // Whether a lease is being handed over, and its throughput, depends on the moment.
            attributes.removeIf(it -> it.matches("(checkpointOwner|throughputKBps|leaseOwner) .*"));
            String kind = row.get("entityType") == null ? "" : row.get("entityType").s();
            shapes.put(kind.equals("WORKER_METRIC_STATS") ? "worker" : key, attributes.toString());
        });
        return shapes;
    }

    private static void waitForRow(DynamoDbAsyncClient leases, String table, String kind)
            throws Exception {
        long end = System.nanoTime() + PATIENCE.toNanos();
        CountDownLatch never = new CountDownLatch(1);
        while (rows(leases, table).values().stream()
                .noneMatch(row -> row.containsKey("entityType")
                        && row.get("entityType").s().equals(kind))) {
            if (System.nanoTime() > end) {
                throw new AssertionError(table + " has no row of " + kind);
            }
            never.await(100, TimeUnit.MILLISECONDS);
        }
    }

    private static ConfigsBuilder configs(
            String name,
            KinesisAsyncClient client,
            DynamoDbAsyncClient leases,
            CloudWatchAsyncClient metrics,
            Map<String, Integer> seen) {
        return new ConfigsBuilder(
                new SingleStreamTracker(name, InitialPositionInStreamExtended.newInitialPosition(
                        InitialPositionInStream.TRIM_HORIZON)),
                name, client, leases, metrics, "worker", () -> new Counting(seen));
    }

    private static Scheduler scheduler(ConfigsBuilder all, RetrievalSpecificConfig retrieval) {
        // Its waits are minutes by default, and each of them comes once before the first record.
        var leaseManagement = all.leaseManagementConfig().shardSyncIntervalMillis(2_000)
                .leaseAssignmentIntervalMillis(1_000L);
        leaseManagement.workerUtilizationAwareAssignmentConfig()
                .workerMetricsReporterFreqInMillis(1_000);
        return new Scheduler(
                all.checkpointConfig(),
                all.coordinatorConfig().parentShardPollIntervalMillis(500),
                leaseManagement,
                all.lifecycleConfig(),
                all.metricsConfig().metricsLevel(MetricsLevel.DETAILED)
                        .metricsBufferTimeMillis(1_000),
                all.processorConfig(),
                all.retrievalConfig().retrievalSpecificConfig(retrieval));
    }

    /** Counts what it is given. */
    private record Counting(Map<String, Integer> seen) implements ShardRecordProcessor {
        @Override
        public void initialize(InitializationInput input) {}

        @Override
        public void processRecords(ProcessRecordsInput input) {
            for (KinesisClientRecord record : input.records()) {
                seen.merge(text(record.data()), 1, Integer::sum);
            }
            checkpoint(input.checkpointer());
        }

        @Override
        public void leaseLost(LeaseLostInput input) {}

        @Override
        public void shardEnded(ShardEndedInput input) {
            checkpoint(input.checkpointer());
        }

        @Override
        public void shutdownRequested(ShutdownRequestedInput input) {
            checkpoint(input.checkpointer());
        }

        private static void checkpoint(RecordProcessorCheckpointer checkpointer) {
            try {
                checkpointer.checkpoint();
            } catch (ThrottlingException | KinesisClientLibDependencyException away) {
                // The server is away; the next checkpoint covers this one.
                return;
            } catch (InvalidStateException | ShutdownException error) {
                throw new IllegalStateException(error);
            }
        }
    }

    private static void split(KinesisAsyncClient client, String name) {
        Shard first = client.listShards(it -> it.streamName(name)).join().shards().get(0);
        BigInteger middle = new BigInteger(first.hashKeyRange().endingHashKey()).shiftRight(1);
        client.splitShard(it -> it.streamName(name).shardToSplit(first.shardId())
                .newStartingHashKey(middle.toString())).join();
    }

    private static void put(KinesisAsyncClient client, String name, int from, int to) {
        for (int start = from; start < to; start += RECORDS_OF_A_REQUEST) {
            var entries = IntStream.range(start, Math.min(start + RECORDS_OF_A_REQUEST, to))
                    .mapToObj(n -> PutRecordsRequestEntry.builder().partitionKey(key(n))
                            .data(SdkBytes.fromByteBuffer(bytes(n))).build())
                    .toList();
            PutRecordsResponse answer =
                    client.putRecords(it -> it.streamName(name).records(entries)).join();
            equal(0, answer.failedRecordCount());
        }
    }

    private static void waitFor(Map<String, Integer> seen, int count) throws Exception {
        long end = System.nanoTime() + PATIENCE.toNanos();
        CountDownLatch never = new CountDownLatch(1);
        while (seen.size() < count) {
            if (System.nanoTime() > end) {
                throw new AssertionError("saw " + seen.size() + " of " + count);
            }
            never.await(50, TimeUnit.MILLISECONDS);
        }
    }

    private static void eachOnce(Map<String, Integer> seen, int count) {
        equal(count, seen.size());
        List<String> often = new ArrayList<>();
        seen.forEach((key, times) -> {
            if (times != 1) {
                often.add(key);
            }
        });
        equal(List.of(), often);
        IntStream.range(0, count).forEach(n -> equal(1, seen.getOrDefault(key(n), 0)));
    }

    private static void create(KinesisAsyncClient client, String name, int shards) {
        client.createStream(it -> it.streamName(name).shardCount(shards)).join();
        client.waiter().waitUntilStreamExists(it -> it.streamName(name)).join();
    }

    private static String key(int n) {
        return "record-" + n;
    }

    private static ByteBuffer bytes(int n) {
        return ByteBuffer.wrap(key(n).getBytes(StandardCharsets.UTF_8));
    }

    private static String text(ByteBuffer bytes) {
        return StandardCharsets.UTF_8.decode(bytes.duplicate()).toString();
    }

    /** Over HTTP/2 from the first byte. */
    private static KinesisAsyncClient streams(URI endpoint) {
        return KinesisAsyncClient.builder().endpointOverride(endpoint).region(region())
                .credentialsProvider(credentials())
                .httpClientBuilder(NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP2))
                .build();
    }

    private static DynamoDbAsyncClient tables(URI endpoint) {
        return DynamoDbAsyncClient.builder().endpointOverride(endpoint).region(region())
                .credentialsProvider(credentials()).build();
    }

    private static CloudWatchAsyncClient metrics(URI endpoint) {
        return CloudWatchAsyncClient.builder().endpointOverride(endpoint).region(region())
                .credentialsProvider(credentials()).build();
    }

    private static Region region() {
        return Region.EU_CENTRAL_1;
    }

    private static StaticCredentialsProvider credentials() {
        return StaticCredentialsProvider.create(AwsBasicCredentials.create("AKIDEXAMPLE", "secret"));
    }

    private static Matcher readyLine(Process server) throws Exception {
        BufferedReader lines = new BufferedReader(
                new InputStreamReader(server.getInputStream(), StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Matcher found = READY.matcher(line);
            if (found.find()) {
                // What the server prints later must not fill the pipe.
                Thread reader = new Thread(() -> lines.lines().forEach(it -> {}));
                reader.setDaemon(true);
                reader.start();
                return found;
            }
        }
        throw new IllegalStateException("the server did not say that it is ready");
    }

    private static void check(String name, Check check) {
        try {
            check.run();
            passed++;
            System.out.println("ok " + name);
        } catch (Throwable error) {
            failed++;
            System.out.println("FAILED " + name);
            error.printStackTrace(System.out);
        }
    }

    private static void equal(Object wanted, Object found) {
        if (!wanted.equals(found)) {
            throw new AssertionError("wanted " + wanted + ", found " + found);
        }
    }
}
