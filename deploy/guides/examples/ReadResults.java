import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Prints results: java -cp 'kafka-clients.jar:…' ReadResults.java GROUP COUNT, with PULSE_BROKERS set; ends after COUNT results. */
class ReadResults {
    public static void main(String[] args) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", System.getenv("PULSE_BROKERS"));
        settings.put("group.id", args[0]);
        settings.put("key.deserializer", StringDeserializer.class.getName());
        settings.put("value.deserializer", StringDeserializer.class.getName());
        // Not the default: without it, results of aborted transactions are seen.
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        String topic = System.getenv().getOrDefault("PULSE_TOPIC_OUTPUT", "pulse.signals.scored");
        int wanted = Integer.parseInt(args[1]);
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
            consumer.subscribe(List.of(topic));
            while (wanted > 0) {
                for (ConsumerRecord<String, String> result : consumer.poll(Duration.ofSeconds(1))) {
                    System.out.println(result.value());
                    wanted--;
                }
                // Commit when what comes of the results is stored; a crash before gives them again.
                consumer.commitSync();
            }
        }
    }
}
