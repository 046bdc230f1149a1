package pulse.bench;

import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Has the whole of the job done once, on topics of its own, before the real one begins. A Java
 * machine begins slow, with nothing compiled; the programs it is compared with do not, and a
 * service runs for days. The topics begin with the group's name, by which bench deletes them.
 */
final class WarmUp {
    private static final int RECORDS = 100_000;
    private static final int SERIES = 1000;

    private WarmUp() {}

    static void run(String brokers, String group, int partitions) throws Exception {
        String name = group + "-warm";
        String in = name + ".in";
        String out = name + ".out";
        Map<String, Object> settings = Map.of("bootstrap.servers", brokers);
        try (Admin admin = Admin.create(settings)) {
            short usual = -1; // replicas: as many as the broker makes where nobody says
            admin.createTopics(List.of(new NewTopic(in, partitions, usual), new NewTopic(out, partitions, usual))).all().get();
            produce(settings, in);
            Map<TopicPartition, Long> ends = ends(admin, in, partitions);
            try (Job job = new Job(brokers, in, out, name, partitions)) {
                job.start();
                while (!isCommitted(admin, name, ends)) {
                    job.requireAlive();
                    Thread.sleep(Job.LOOK_EVERY_MS);
                }
            }
        }
    }

    /** Signals like those of the load (load.go). */
    private static void produce(Map<String, Object> settings, String topic) {
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            double now = System.currentTimeMillis() / 1000.0;
            for (int i = 0; i < RECORDS; i++) {
                String series = String.format(Locale.ROOT, "series-%04d", i % SERIES);
                String value = String.format(Locale.ROOT, "{\"id\":\"warm-%09d\",\"name\":\"%s\",\"value\":%s,\"source\":\"warm\",\"timestamp\":%.3f}",
                        i, series, 100 + 10 * Math.sin(i / 50.0), now - i % 1000);
                producer.send(new ProducerRecord<>(topic, series, value));
            }
        }
    }

    /** The offsets after the last record of each partition. */
    private static Map<TopicPartition, Long> ends(Admin admin, String topic, int partitions) throws Exception {
        Map<TopicPartition, OffsetSpec> wanted = new HashMap<>();
        for (int i = 0; i < partitions; i++) {
            wanted.put(new TopicPartition(topic, i), OffsetSpec.latest());
        }
        Map<TopicPartition, Long> ends = new HashMap<>();
        admin.listOffsets(wanted).all().get().forEach((partition, end) -> ends.put(partition, end.offset()));
        return ends;
    }

    /** Whether a group has committed everything up to these offsets. */
    private static boolean isCommitted(Admin admin, String group, Map<TopicPartition, Long> ends) throws Exception {
        var committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        return ends.entrySet().stream().allMatch(end -> {
            var at = committed.get(end.getKey());
            return end.getValue() == 0 || at != null && at.offset() >= end.getValue();
        });
    }
}
