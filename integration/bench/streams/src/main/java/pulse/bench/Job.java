package pulse.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/**
 * The work on one pair of topics. State is in memory with a changelog, so that a restart finds it,
 * as it finds the service's. Settings are those that Kafka Streams is shipped with, but for the
 * guarantee, the threads and how long a fetch waits.
 */
final class Job implements AutoCloseable {
    private static final Duration CLOSE_WITHIN = Duration.ofSeconds(30);
    /** How often a state is asked for, in milliseconds. */
    static final long LOOK_EVERY_MS = 10;

    private final KafkaStreams streams;
    private final Path directory;
    private final int threads;
    private final int partitions;
    private volatile Throwable fault;

    Job(String brokers, String in, String out, String group, int partitions) throws IOException {
        this.partitions = partitions;
        threads = Math.min(Runtime.getRuntime().availableProcessors(), partitions);
        directory = Files.createTempDirectory("pulse-bench-streams");
        streams = new KafkaStreams(topology(in, out).build(), settings(brokers, group));
        streams.setUncaughtExceptionHandler(e -> {
            fault = e;
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    }

    private Properties settings(String brokers, String group) {
        Properties p = new Properties();
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, group);
        // With it comes a transaction every 100 ms (commit.interval.ms).
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
        p.put(StreamsConfig.STATE_DIR_CONFIG, directory.toString());
        // As long as the others' (peerWait): a fetch that began before the load was to be seen
        // must not hold up the beginning.
        p.put(StreamsConfig.mainConsumerPrefix("fetch.max.wait.ms"), 100);
        return p;
    }

    private static StreamsBuilder topology(String in, String out) {
        StreamsBuilder b = new StreamsBuilder();
        Serde<double[]> windows = Serdes.serdeFrom((topic, w) -> Window.toBytes(w), (topic, bytes) -> Window.ofBytes(bytes));
        b.addStateStore(Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(Scorer.IDS), Serdes.String(), Serdes.Long())
                .withLoggingEnabled(Map.of()));
        // The cache keeps all but the last window of a series in a transaction out of the changelog.
        b.addStateStore(Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(Scorer.WINDOWS), Serdes.String(), windows)
                .withLoggingEnabled(Map.of())
                .withCachingEnabled());
        b.stream(in, Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .process(Scorer::new, Scorer.IDS, Scorer.WINDOWS)
                .to(out, Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
        return b;
    }

    /** Returns when every thread has its partitions and reads them. */
    void start() throws InterruptedException {
        streams.start();
        while (!reads()) {
            requireAlive();
            Thread.sleep(LOOK_EVERY_MS);
        }
    }

    /** A thread that joins after another takes some of its partitions, so to run is not enough. */
    private boolean reads() {
        var local = streams.metadataForLocalThreads();
        return streams.state() == KafkaStreams.State.RUNNING
                && local.size() == threads
                && local.stream().noneMatch(t -> t.activeTasks().isEmpty())
                && local.stream().mapToInt(t -> t.activeTasks().size()).sum() == partitions;
    }

    /** Throws what has stopped the work, if something has. */
    void requireAlive() {
        if (fault != null) {
            throw new IllegalStateException("the work has stopped", fault);
        }
        if (streams.state().hasCompletedShutdown()) {
            throw new IllegalStateException("the work has stopped: " + streams.state());
        }
    }

    /** Commits what is open and removes the directory. */
    @Override
    public void close() {
        if (!streams.close(CLOSE_WITHIN)) {
            throw new IllegalStateException("Kafka Streams does not end within " + CLOSE_WITHIN);
        }
        try (Stream<Path> all = Files.walk(directory)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
