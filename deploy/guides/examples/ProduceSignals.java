import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/** Produces signals: java -cp 'kafka-clients.jar:…' ProduceSignals.java FILE.ndjson, with PULSE_BROKERS set. */
class ProduceSignals {
    // Your producer has its signals as objects and knows the name; this one reads it from the line.
    private static final Pattern NAME = Pattern.compile("\"name\"\\s*:\\s*\"([^\"\\\\]+)\"");

    public static void main(String[] args) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", System.getenv("PULSE_BROKERS"));
        settings.put("key.serializer", StringSerializer.class.getName());
        settings.put("value.serializer", StringSerializer.class.getName());
        // Both are defaults since Kafka 3.0: no signal is lost or doubled by the producer itself.
        settings.put("acks", "all");
        settings.put("enable.idempotence", "true");
        settings.put("compression.type", "lz4");
        String topic = System.getenv().getOrDefault("PULSE_TOPIC_INPUT", "pulse.signals");
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
            for (String line : Files.readAllLines(Path.of(args[0]))) {
                Matcher name = NAME.matcher(line);
                if (!name.find()) {
                    throw new IllegalArgumentException("no name in " + line);
                }
                // The key is the name: it keeps a series in one partition, and so in order.
                // The default partitioner is the right one, as long as there is a key.
                sent.add(producer.send(new ProducerRecord<>(topic, name.group(1), line)));
            }
            for (Future<RecordMetadata> one : sent) {
                one.get(); // throws what went wrong
            }
        }
    }
}
