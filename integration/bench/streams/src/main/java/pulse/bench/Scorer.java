package pulse.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Locale;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Drops what was seen before, judges each value by its series and gives a result: what Transact does in Go. */
final class Scorer extends ContextualProcessor<byte[], byte[], byte[], byte[]> {
    static final String IDS = "ids";
    static final String WINDOWS = "windows";

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ObjectReader SIGNALS = JSON.readerFor(Signal.class);
    private static final ObjectWriter RESULTS = JSON.writerFor(Result.class);
    private static final double WEEK_SECONDS = 7 * 24 * 3600;
    private static final List<String> TAGS = List.of("hope", "despair", "rage", "fatigue");

    private KeyValueStore<String, Long> ids;
    private KeyValueStore<String, double[]> windows;

    record Signal(String id, String name, double value, String source, double timestamp) {}

    record Result(
            String id, String name, double value, String source, double timestamp,
            String signal_tag, double recency_score, boolean anomaly_flag, double sti, double trust_score) {}

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        super.init(context);
        ids = context.getStateStore(IDS);
        windows = context.getStateStore(WINDOWS);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        try {
            Signal signal = SIGNALS.readValue(record.value());
            // Null, where there was none before.
            if (ids.putIfAbsent(signal.id(), record.timestamp()) != null) {
                return;
            }
            double[] window = Window.with(windows.get(signal.name()), signal.value());
            windows.put(signal.name(), window);
            Result result = score(signal, record.timestamp(), Window.isAnomaly(window));
            context().forward(record.withValue(RESULTS.writeValueAsBytes(result)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Result score(Signal s, long appendedMs, boolean anomaly) {
        double recency = round3(Math.max(0, Math.min(1, 1 - (appendedMs / 1000.0 - s.timestamp()) / WEEK_SECONDS)));
        double sti = round3(0.6 + 0.3 * recency - (anomaly ? 0.2 : 0));
        return new Result(s.id(), s.name(), s.value(), s.source(), s.timestamp(), tagOf(s.name()), recency, anomaly, sti, 0);
    }

    private static String tagOf(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return TAGS.stream().filter(lower::contains).findFirst().orElse("neutral");
    }

    private static double round3(double v) {
        return Math.round(v * 1000) / 1000.0;
    }
}
