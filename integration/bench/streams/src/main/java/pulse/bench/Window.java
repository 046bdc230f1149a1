package pulse.bench;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** The last values of a series, oldest first. */
final class Window {
    private static final int SIZE = 50;
    private static final int FEWEST = 10;

    private Window() {}

    /** A window, null where a series begins, with one more value. */
    static double[] with(double[] window, double value) {
        if (window == null) {
            return new double[] {value};
        }
        int from = window.length == SIZE ? 1 : 0;
        double[] next = Arrays.copyOfRange(window, from, window.length + 1);
        next[next.length - 1] = value;
        return next;
    }

    /** Whether the last value is far from the others. */
    static boolean isAnomaly(double[] window) {
        if (window.length < FEWEST) {
            return false;
        }
        double mean = 0;
        for (double v : window) {
            mean += v;
        }
        mean /= window.length;
        double squares = 0;
        for (double v : window) {
            squares += (v - mean) * (v - mean);
        }
        double last = window[window.length - 1];
        return Math.abs(last - mean) > 3 * Math.sqrt(squares / window.length) + 1e-6;
    }

    static byte[] toBytes(double[] window) {
        ByteBuffer b = ByteBuffer.allocate(window.length * Double.BYTES);
        b.asDoubleBuffer().put(window);
        return b.array();
    }

    /** Null of null, which is what a store has of a series that begins. */
    static double[] ofBytes(byte[] bytes) {
        if (bytes == null) {
            return null;
        }
        double[] window = new double[bytes.length / Double.BYTES];
        ByteBuffer.wrap(bytes).asDoubleBuffer().get(window);
        return window;
    }
}
