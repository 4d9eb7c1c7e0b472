import com.alibaba.otter.canal.client.CanalConnector;
import com.alibaba.otter.canal.client.CanalConnectors;
import com.alibaba.otter.canal.protocol.Message;

import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.Locale;

/** StallClient PORT CYCLES: get and ack of the unmodified client on an idle destination; prints what a cycle takes. */
public class StallClient {

    private static final int WARM_UP = 300;

    public static void main(String[] arguments) {
        int port = Integer.parseInt(arguments[0]);
        int cycles = Integer.parseInt(arguments[1]);
        CanalConnector connector =
            CanalConnectors.newSingleConnector(new InetSocketAddress("127.0.0.1", port), "example", "canal", "canal");
        connector.connect();
        connector.subscribe("");
        Message message = connector.get(100000);
        while (message.getId() != -1) message = connector.get(100000);
        long[] nanoseconds = new long[cycles];
        for (int i = -WARM_UP; i < cycles; ++i) {
            long start = System.nanoTime();
            connector.get(100); // a get and, as the client does it, the ack of what it brought
            if (i >= 0) nanoseconds[i] = System.nanoTime() - start;
        }
        connector.disconnect();
        Arrays.sort(nanoseconds);
        System.out.printf(Locale.ROOT, "cycles=%d median_ms=%.3f p99_ms=%.3f max_ms=%.3f%n", cycles,
            nanoseconds[cycles / 2] / 1e6, nanoseconds[(int) (cycles * 0.99)] / 1e6, nanoseconds[cycles - 1] / 1e6);
    }
}
