// The library that producers in Java are made with: the Kinesis Producer Library, whose daemon
// speaks TLS and nothing else. What takes its aggregates apart is the Kinesis Client Library's.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.firehose.FirehoseAsyncClient;
import software.amazon.awssdk.services.firehose.model.DeliveryStreamStatus;
import software.amazon.awssdk.services.firehose.model.DeliveryStreamType;
import software.amazon.awssdk.services.firehose.model.Processor;
import software.amazon.awssdk.services.firehose.model.ProcessorType;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.kinesis.producer.KinesisProducer;
import software.amazon.kinesis.producer.KinesisProducerConfiguration;
import software.amazon.kinesis.producer.UserRecordResult;
import software.amazon.kinesis.retrieval.AggregatorUtil;
import software.amazon.kinesis.retrieval.KinesisClientRecord;

public final class LibraryTests {
    private static final int RECORDS = 5_000;
    private static final Duration PATIENCE = Duration.ofSeconds(120);
    private static final Pattern READY = Pattern.compile(
            "^ready (http://\\S+) (https://([\\d.]+):(\\d+)) AWS_CA_BUNDLE=(\\S+)$");

    /** A test that may fail in any way. */
    private interface Check {
        void run() throws Exception;
    }

    private static int passed = 0;
    private static int failed = 0;

    public static void main(String[] arguments) throws Exception {
        Path directory = Files.createTempDirectory("millrace-conformance-");
        Process server = new ProcessBuilder(
                        System.getenv("MILLRACE"), "serve", "--no-throttle", "--data",
                        directory.resolve("data").toString(), "--listen", "127.0.0.1:0",
                        "--tls-listen", "127.0.0.1:0")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            Matcher ready = readyLine(server);
            check("KPL writes aggregated records over TLS, and each is read and delivered once",
                    () -> produce(ready, directory));
        } finally {
            server.destroy();
            int ended = server.waitFor(30, TimeUnit.SECONDS) ? server.exitValue() : -1;
            check("the server ends well", () -> equal(0, ended));
            try (var files = Files.walk(directory)) {
                files.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
            }
        }
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }

    private static void produce(Matcher ready, Path directory) throws Exception {
        String name = "produced";
        Path authority = Path.of(ready.group(5));
        try (KinesisAsyncClient client = client(URI.create(ready.group(2)), authority)) {
            create(client, name, 2);
            deliver(URI.create(ready.group(1)), name);
            long port = Long.parseLong(ready.group(4));
            KinesisProducer producer = new KinesisProducer(new KinesisProducerConfiguration()
                    .setKinesisEndpoint(ready.group(3)).setKinesisPort(port)
                    .setStsEndpoint(ready.group(3)).setStsPort(port)
                    .setVerifyCertificate(true).setCaCertFile(authority.toString())
                    .setCredentialsProvider(credentials()).setRegion(region().id())
                    .setMetricsLevel("none").setLogLevel("warning")
                    .setTempDirectory(directory.toString()));
            try {
                // Once one is acknowledged the shards are known, and others share records.
                acknowledged(producer.addUserRecord(name, key(0), bytes(0)));
                List<Future<UserRecordResult>> put = new ArrayList<>();
                for (int n = 1; n < RECORDS; n++) {
                    put.add(producer.addUserRecord(name, key(n), bytes(n)));
                }
                producer.flush();
                for (Future<UserRecordResult> result : put) {
                    acknowledged(result);
                }
            } finally {
                producer.destroy();
            }
            List<KinesisClientRecord> stored = stored(client, name);
            if (stored.size() > RECORDS / 10) {
                throw new AssertionError(stored.size() + " records are not aggregated");
            }
            Map<String, Integer> seen = new ConcurrentHashMap<>();
            for (KinesisClientRecord record : new AggregatorUtil().deaggregate(stored)) {
                equal(text(record.data()), record.partitionKey());
                seen.merge(record.partitionKey(), 1, Integer::sum);
            }
            eachOnce(seen, RECORDS);
            eachDelivered(directory.resolve("data/s3/delivered"));
        }
    }

    /** Delivers what comes from now on into a bucket, a line for each record. */
    private static void deliver(URI endpoint, String source) throws Exception {
        String role = "arn:aws:iam::000000000000:role/any";
        String stream = "arn:aws:kinesis:" + region().id() + ":000000000000:stream/" + source;
        try (FirehoseAsyncClient client = FirehoseAsyncClient.builder().endpointOverride(endpoint)
                .region(region()).credentialsProvider(credentials()).build()) {
            client.createDeliveryStream(it -> it.deliveryStreamName(source)
                    .deliveryStreamType(DeliveryStreamType.KINESIS_STREAM_AS_SOURCE)
                    .kinesisStreamSourceConfiguration(
                            of -> of.kinesisStreamARN(stream).roleARN(role))
                    .extendedS3DestinationConfiguration(to -> to.roleARN(role)
                            .bucketARN("arn:aws:s3:::delivered")
                            .bufferingHints(hints -> hints.intervalInSeconds(1).sizeInMBs(1))
                            .processingConfiguration(does -> does.enabled(true).processors(
                                    Processor.builder()
                                            .type(ProcessorType.APPEND_DELIMITER_TO_RECORD)
                                            .build())))).join();
            long end = System.nanoTime() + PATIENCE.toNanos();
            while (client.describeDeliveryStream(it -> it.deliveryStreamName(source)).join()
                            .deliveryStreamDescription().deliveryStreamStatus()
                    != DeliveryStreamStatus.ACTIVE) {
                if (System.nanoTime() > end) {
                    throw new AssertionError("the delivery stream does not become ACTIVE");
                }
            }
        }
    }

    /** Waits until as many lines are in the bucket as records were put: each of them once. */
    private static void eachDelivered(Path bucket) throws Exception {
        long end = System.nanoTime() + PATIENCE.toNanos();
        CountDownLatch never = new CountDownLatch(1);
        List<String> lines = lines(bucket);
        while (lines.size() < RECORDS) {
            if (System.nanoTime() > end) {
                throw new AssertionError("delivered " + lines.size() + " of " + RECORDS);
            }
            never.await(50, TimeUnit.MILLISECONDS);
            lines = lines(bucket);
        }
        Map<String, Integer> seen = new ConcurrentHashMap<>();
        lines.forEach(line -> seen.merge(line, 1, Integer::sum));
        eachOnce(seen, RECORDS);
    }

    private static List<String> lines(Path bucket) throws Exception {
        List<String> lines = new ArrayList<>();
        if (Files.exists(bucket)) {
            try (var files = Files.walk(bucket)) {
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    lines.addAll(Files.readAllLines(file));
                }
            }
        }
        return lines;
    }


    private static void acknowledged(Future<UserRecordResult> put) throws Exception {
        UserRecordResult result = put.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        equal(true, result.isSuccessful());
    }

    private static List<KinesisClientRecord> stored(KinesisAsyncClient client, String name) {
        List<KinesisClientRecord> stored = new ArrayList<>();
        for (Shard shard : client.listShards(it -> it.streamName(name)).join().shards()) {
            String iterator = client.getShardIterator(it -> it.streamName(name)
                            .shardId(shard.shardId())
                            .shardIteratorType(ShardIteratorType.TRIM_HORIZON))
                    .join().shardIterator();
            GetRecordsResponse got;
            do {
                String next = iterator;
                got = client.getRecords(it -> it.shardIterator(next)).join();
                got.records().forEach(it -> stored.add(KinesisClientRecord.fromRecord(it)));
                iterator = got.nextShardIterator();
            } while (got.millisBehindLatest() > 0);
        }
        return stored;
    }

    private static void eachOnce(Map<String, Integer> seen, int count) {
        equal(count, seen.size());
        seen.forEach((key, times) -> {
            if (times != 1) {
                throw new AssertionError(key + " was seen " + times + " times");
            }
        });
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

    /** Over HTTP/2: agreed on within TLS, or from the first byte. */
    private static KinesisAsyncClient client(URI endpoint, Path authority) throws Exception {
        var http = NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP2);
        if (authority != null) {
            TrustManager[] trusted = trusting(authority);
            http.tlsTrustManagersProvider(() -> trusted);
        }
        return KinesisAsyncClient.builder().endpointOverride(endpoint).region(region())
                .credentialsProvider(credentials()).httpClientBuilder(http).build();
    }

    private static TrustManager[] trusting(Path authority) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (var file = Files.newInputStream(authority)) {
            store.setCertificateEntry("millrace",
                    CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory factory =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
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
