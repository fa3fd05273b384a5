// The SDK for Java takes a stream through its life: by its synchronous client over HTTP/1.1 and by
// its asynchronous one over cleartext HTTP/2, both in CBOR, which is what it speaks by itself.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.SdkHttpHeaders;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.InvalidArgumentException;
import software.amazon.awssdk.services.kinesis.model.KinesisException;
import software.amazon.awssdk.services.kinesis.model.PutRecordResponse;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.PutRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.Record;
import software.amazon.awssdk.services.kinesis.model.ResourceInUseException;
import software.amazon.awssdk.services.kinesis.model.ResourceNotFoundException;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.ShardFilterType;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.StreamDescription;
import software.amazon.awssdk.services.kinesis.model.StreamDescriptionSummary;
import software.amazon.awssdk.services.kinesis.model.StreamStatus;

public final class SdkTests {
    private static final String CBOR = "application/x-amz-cbor-1.1";
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    /** A test that may fail in any way. */
    private interface Check {
        void run() throws Exception;
    }

    private static int passed = 0;
    private static int failed = 0;

    public static void main(String[] arguments) throws Exception {
        Path directory = Files.createTempDirectory("millrace-conformance-");
        Process server = new ProcessBuilder(
                        System.getenv("MILLRACE"), "serve", "--data",
                        directory.resolve("data").toString(), "--listen", "127.0.0.1:0")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            URI endpoint = endpointOf(server);
            ContentTypes seen = new ContentTypes();
            try (KinesisClient client = synchronous(endpoint, seen)) {
                life(client);
                errors(client);
            }
            check("the synchronous client spoke CBOR and nothing else", seen::onlyCbor);
            ContentTypes seenByAsync = new ContentTypes();
            try (KinesisAsyncClient client = asynchronous(endpoint, seenByAsync)) {
                asyncLife(client);
            }
            check("the asynchronous client spoke CBOR and nothing else", seenByAsync::onlyCbor);
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

    private static void life(KinesisClient client) {
        String name = "java-sync";
        Instant begin = Instant.now().minusSeconds(1);
        check("a stream is made, and described", () -> {
            client.createStream(it -> it.streamName(name).shardCount(2).tags(Map.of("team", "a")));
            client.waiter().waitUntilStreamExists(it -> it.streamName(name));
            StreamDescription description =
                    client.describeStream(it -> it.streamName(name)).streamDescription();
            equal(StreamStatus.ACTIVE, description.streamStatus());
            equal(2, description.shards().size());
            equal(24, description.retentionPeriodHours());
            between(begin, description.streamCreationTimestamp());
            StreamDescriptionSummary summary = client.describeStreamSummary(it -> it.streamName(name))
                    .streamDescriptionSummary();
            equal(description.streamCreationTimestamp(), summary.streamCreationTimestamp());
            equal(2, summary.openShardCount());
        });
        check("streams are listed, with their tags", () -> {
            equal(List.of(name), client.listStreams().streamNames());
            equal(StreamStatus.ACTIVE, client.listStreams().streamSummaries().get(0).streamStatus());
            client.addTagsToStream(it -> it.streamName(name).tags(Map.of("b", "\u00e9", "c", "")));
            client.removeTagsFromStream(it -> it.streamName(name).tagKeys("c"));
            List<String> tags = client.listTagsForStream(it -> it.streamName(name)).tags().stream()
                    .map(tag -> tag.key() + "=" + tag.value())
                    .toList();
            equal(List.of("b=\u00e9", "team=a"), tags);
        });
        check("shards are listed from a moment on", () -> {
            List<Shard> shards = client.listShards(it -> it.streamName(name)
                            .shardFilter(filter -> filter.type(ShardFilterType.FROM_TIMESTAMP)
                                    .timestamp(Instant.now().minusMillis(1))))
                    .shards();
            equal(2, shards.size());
            equal("0", shards.get(0).hashKeyRange().startingHashKey());
        });
        check("retention is changed", () -> {
            client.increaseStreamRetentionPeriod(
                    it -> it.streamName(name).retentionPeriodHours(48));
            client.decreaseStreamRetentionPeriod(
                    it -> it.streamName(name).retentionPeriodHours(36));
            equal(36, client.describeStream(it -> it.streamName(name))
                    .streamDescription().retentionPeriodHours());
        });
        check("what was put is read, byte for byte, of any length", () -> records(client, name));
        check("records over the rate of a shard fail alone, each with its code", () -> {
            PutRecordsResponse many = client.putRecords(it -> it.streamName(name)
                    .records(IntStream.of(900_000, 900_000, 900_000).mapToObj(SdkTests::entry)
                            .toList()));
            long over = many.records().stream()
                    .filter(it -> "ProvisionedThroughputExceededException".equals(it.errorCode()))
                    .peek(it -> contains("java-sync", it.errorMessage()))
                    .count();
            equal(true, over > 0);
            equal((long) many.failedRecordCount(), over);
        });
        check("a stream is deleted", () -> {
            client.deleteStream(it -> it.streamName(name).enforceConsumerDeletion(true));
            client.waiter().waitUntilStreamNotExists(it -> it.streamName(name));
        });
    }

    private static void records(KinesisClient client, String name) {
        Instant begin = Instant.now().minusMillis(1);
        PutRecordResponse one = client.putRecord(it -> it.streamName(name).partitionKey("k\u00e9y")
                .explicitHashKey("0").data(SdkBytes.fromByteArray(bytes(5))));
        int[] lengths = {0, 1, 23, 24, 255, 256, 4_000, 65_535, 65_536, 400_000};
        PutRecordsResponse many = client.putRecords(it -> it.streamName(name)
                .records(IntStream.of(lengths).mapToObj(SdkTests::entry).toList()));
        equal(0, many.failedRecordCount());
        equal(lengths.length, many.records().size());
        String iterator = client.getShardIterator(it -> it.streamName(name).shardId(one.shardId())
                        .shardIteratorType(ShardIteratorType.AT_TIMESTAMP).timestamp(begin))
                .shardIterator();
        GetRecordsResponse got = client.getRecords(it -> it.shardIterator(iterator).limit(100));
        equal(0L, got.millisBehindLatest());
        equal(1 + lengths.length, got.records().size());
        Record first = got.records().get(0);
        equal(one.sequenceNumber(), first.sequenceNumber());
        equal("k\u00e9y", first.partitionKey());
        between(begin, first.approximateArrivalTimestamp());
        for (int n = 0; n < lengths.length; n++) {
            Record record = got.records().get(n + 1);
            equal(many.records().get(n).sequenceNumber(), record.sequenceNumber());
            equal(SdkBytes.fromByteArray(bytes(lengths[n])), record.data());
        }
        // Milliseconds are kept: nothing arrived after the last one.
        Instant after = got.records().get(lengths.length).approximateArrivalTimestamp().plusMillis(1);
        String later = client.getShardIterator(it -> it.streamName(name).shardId(one.shardId())
                        .shardIteratorType(ShardIteratorType.AT_TIMESTAMP).timestamp(after))
                .shardIterator();
        equal(0, client.getRecords(it -> it.shardIterator(later)).records().size());
    }

    private static void errors(KinesisClient client) {
        check("an error arrives as the class of its code, with its text and its request", () -> {
            KinesisException error = thrown(ResourceNotFoundException.class,
                    () -> client.describeStream(it -> it.streamName("no-such-stream")));
            contains("no-such-stream", error.awsErrorDetails().errorMessage());
            equal("ResourceNotFoundException", error.awsErrorDetails().errorCode());
            equal(400, error.statusCode());
            equal(true, error.requestId() != null);
            thrown(InvalidArgumentException.class,
                    () -> client.getRecords(it -> it.shardIterator("no iterator")));
        });
        check("an input that breaks a constraint is told so", () -> {
            KinesisException error = thrown(KinesisException.class,
                    () -> client.createStream(it -> it.streamName("no stream").shardCount(0)));
            equal("ValidationException", error.awsErrorDetails().errorCode());
            contains("2 validation errors detected", error.awsErrorDetails().errorMessage());
        });
    }

    private static void asyncLife(KinesisAsyncClient client) {
        String name = "java-async";
        check("a stream lives over HTTP/2", () -> {
            client.createStream(it -> it.streamName(name).shardCount(1)).join();
            client.waiter().waitUntilStreamExists(it -> it.streamName(name)).join();
            equal(1, client.listShards(it -> it.streamName(name)).join().shards().size());
        });
        check("many requests share a connection, and all records are read", () -> {
            var puts = IntStream.range(0, 100)
                    .mapToObj(n -> client.putRecord(it -> it.streamName(name)
                            .partitionKey("key-" + n).data(SdkBytes.fromByteArray(bytes(n)))))
                    .toList();
            Set<String> numbers = ConcurrentHashMap.newKeySet();
            puts.forEach(put -> numbers.add(put.join().sequenceNumber()));
            equal(100, numbers.size());
            String iterator = client.getShardIterator(it -> it.streamName(name)
                            .shardId("shardId-000000000000")
                            .shardIteratorType(ShardIteratorType.TRIM_HORIZON))
                    .join().shardIterator();
            List<Record> records = new ArrayList<>(
                    client.getRecords(it -> it.shardIterator(iterator)).join().records());
            equal(100, records.size());
            for (Record record : records) {
                int n = Integer.parseInt(record.partitionKey().substring("key-".length()));
                equal(SdkBytes.fromByteArray(bytes(n)), record.data());
            }
        });
        check("an error arrives as the class of its code over HTTP/2", () -> {
            KinesisException error = thrown(ResourceInUseException.class, () -> {
                try {
                    client.createStream(it -> it.streamName(name).shardCount(1)).join();
                } catch (CompletionException wrapped) {
                    throw (Exception) wrapped.getCause();
                }
            });
            contains("already exists", error.awsErrorDetails().errorMessage());
        });
        check("a stream is deleted over HTTP/2", () -> {
            client.deleteStream(it -> it.streamName(name)).join();
            client.waiter().waitUntilStreamNotExists(it -> it.streamName(name)).join();
        });
    }

    private static KinesisClient synchronous(URI endpoint, ContentTypes seen) {
        return KinesisClient.builder().endpointOverride(endpoint).region(Region.EU_CENTRAL_1)
                .credentialsProvider(credentials()).overrideConfiguration(configuration(seen))
                .httpClient(UrlConnectionHttpClient.create()).build();
    }

    private static KinesisAsyncClient asynchronous(URI endpoint, ContentTypes seen) {
        return KinesisAsyncClient.builder().endpointOverride(endpoint).region(Region.EU_CENTRAL_1)
                .credentialsProvider(credentials()).overrideConfiguration(configuration(seen))
                .httpClient(NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP2)
                        .maxConcurrency(100).build())
                .build();
    }

    private static StaticCredentialsProvider credentials() {
        return StaticCredentialsProvider.create(AwsBasicCredentials.create("AKIDEXAMPLE", "secret"));
    }

    private static ClientOverrideConfiguration configuration(ContentTypes seen) {
        return ClientOverrideConfiguration.builder().addExecutionInterceptor(seen)
                .retryStrategy(DefaultRetryStrategy.doNotRetry()).apiCallTimeout(PATIENCE).build();
    }

    /** Which content types went to the server and came from it. */
    private static final class ContentTypes implements ExecutionInterceptor {
        private final Set<String> sent = ConcurrentHashMap.newKeySet();
        private final Set<String> received = ConcurrentHashMap.newKeySet();

        @Override
        public void beforeTransmission(Context.BeforeTransmission context, ExecutionAttributes all) {
            sent.add(typeOf(context.httpRequest()));
        }

        @Override
        public void afterTransmission(Context.AfterTransmission context, ExecutionAttributes all) {
            received.add(typeOf(context.httpResponse()));
        }

        private static String typeOf(SdkHttpHeaders message) {
            return message.firstMatchingHeader("Content-Type").orElse("none");
        }

        void onlyCbor() {
            equal(Set.of(CBOR), sent);
            equal(Set.of(CBOR), received);
        }
    }

    private static URI endpointOf(Process server) throws Exception {
        Pattern endpoint = Pattern.compile("http://[\\d.]+:\\d+");
        BufferedReader lines = new BufferedReader(
                new InputStreamReader(server.getInputStream(), StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            var found = endpoint.matcher(line);
            if (found.find()) {
                // What the server prints later must not fill the pipe.
                Thread reader = new Thread(() -> lines.lines().forEach(it -> {}));
                reader.setDaemon(true);
                reader.start();
                return URI.create(found.group());
            }
        }
        throw new IllegalStateException("the server named no endpoint");
    }

    private static PutRecordsRequestEntry entry(int length) {
        return PutRecordsRequestEntry.builder().partitionKey("key").explicitHashKey("0")
                .data(SdkBytes.fromByteArray(bytes(length))).build();
    }

    private static byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        for (int n = 0; n < length; n++) {
            bytes[n] = (byte) (n * 7 + length);
        }
        return bytes;
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

    private static <E extends Exception> E thrown(Class<E> kind, Check check) throws Exception {
        try {
            check.run();
        } catch (Exception error) {
            if (kind.isInstance(error)) {
                return kind.cast(error);
            }
            throw error;
        }
        throw new AssertionError("nothing was thrown");
    }

    private static void equal(Object wanted, Object found) {
        if (!wanted.equals(found)) {
            throw new AssertionError("wanted " + wanted + ", found " + found);
        }
    }

    private static void contains(String part, String whole) {
        equal(true, whole != null && whole.contains(part));
    }

    private static void between(Instant begin, Instant moment) {
        equal(true, !moment.isBefore(begin) && !moment.isAfter(Instant.now().plusMillis(1)));
    }
}
