import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.apache.kafka.tools.consumer.group.ConsumerGroupCommand;

/**
 * Kafka's own kafka-consumer-groups, once for each line of the standard input, whose words
 * are its arguments. A line "end of answer" follows each answer. One process for all, because
 * a Java machine takes seconds to start and the tool does not.
 */
class Groups {
    public static void main(String[] args) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            ConsumerGroupCommand.main(line.trim().split(" +"));
            System.out.println("end of answer");
        }
    }
}
