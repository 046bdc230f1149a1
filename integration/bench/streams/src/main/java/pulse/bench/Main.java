package pulse.bench;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The service's job as one would write it on Kafka Streams, for pulse-scorer bench: its arguments
 * are BROKERS IN OUT GROUP PARTITIONS. It says "ready" when it reads, works until it is told to end
 * (SIGTERM), and then ends with 0.
 */
final class Main {
    private static final CountDownLatch TOLD_TO_END = new CountDownLatch(1);

    private Main() {}

    public static void main(String[] args) {
        if (args.length != 5) {
            System.err.println("usage: pulse.bench.Main BROKERS IN OUT GROUP PARTITIONS");
            System.exit(2);
        }
        // A machine that a signal ends has that signal's exit code, unless it halts itself.
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            TOLD_TO_END.countDown();
            join(main);
        }));
        int code = 0;
        try {
            work(args[0], args[1], args[2], args[3], Integer.parseInt(args[4]));
        } catch (Throwable e) {
            e.printStackTrace();
            code = 1;
        }
        Runtime.getRuntime().halt(code);
    }

    private static void work(String brokers, String in, String out, String group, int partitions) throws Exception {
        WarmUp.run(brokers, group, partitions);
        System.gc(); // what the warm-up leaves is none of the work
        try (Job job = new Job(brokers, in, out, group, partitions)) {
            job.start();
            System.out.println("ready");
            while (!TOLD_TO_END.await(Job.LOOK_EVERY_MS, TimeUnit.MILLISECONDS)) {
                job.requireAlive();
            }
        }
    }

    private static void join(Thread main) {
        try {
            main.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
