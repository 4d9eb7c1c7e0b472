import java.io.PrintStream;
import java.lang.reflect.Field;
import java.util.concurrent.TimeUnit;

import com.alibaba.otter.canal.client.CanalConnector;
import com.alibaba.otter.canal.protocol.CanalEntry.*;
import com.alibaba.otter.canal.protocol.Message;

/**
 * Reads and acknowledges for ever, and connects again when the stock connector gives up: what an application has to do. One line
 * per event, with the milliseconds since the epoch: "connected", "lost CAUSE", "batch ID COLUMN..." (values of the column in
 * the inserted rows, sent before the ack), "ack ID" (the connector has sent it), "connection" (the connector has another one than
 * at the last answer) and "answer" (the first get after an ack was answered, with nothing).
 */
final class Follow {
    interface Maker { CanalConnector make() throws Exception; }

    static void run(Maker maker, String filter, int batch, String column, PrintStream out) throws Exception {
        for (;;) {
            CanalConnector c = null;
            try {
                c = maker.make();
                c.connect();
                c.subscribe(filter);
                say(out, "connected");
                Object before = null;
                boolean acked = false;
                for (;;) {
                    Message m = c.getWithoutAck(batch, 200L, TimeUnit.MILLISECONDS);
                    Object now = connection(c);
                    if (now != before) say(out, "connection");
                    boolean answered = acked && now == before;
                    before = now;
                    acked = false;
                    if (m.getId() == -1 || m.getEntries().isEmpty()) {
                        if (answered) say(out, "answer");
                        continue;
                    }
                    say(out, "batch " + m.getId() + values(m, column));
                    c.ack(m.getId());
                    say(out, "ack " + m.getId());
                    acked = true;
                }
            } catch (Exception e) {
                say(out, "lost " + String.valueOf(e.getMessage()).replaceAll("\\s+", " "));
                try { if (c != null) c.disconnect(); } catch (Exception e2) { }
                Thread.sleep(100);
            }
        }
    }

    /** The socket below: cluster connectors change it without a word. */
    static Object connection(CanalConnector c) throws Exception {
        Object inner = field(c, "currentConnector");
        Object socket = field(inner == null ? c : inner, "channel");
        return socket == null ? new Object() : socket;
    }

    static Object field(Object of, String name) throws Exception {
        for (Class<?> k = of.getClass(); k != null; k = k.getSuperclass()) {
            for (Field f : k.getDeclaredFields()) {
                if (!f.getName().equals(name)) continue;
                f.setAccessible(true);
                return f.get(of);
            }
        }
        return null;
    }

    static void say(PrintStream out, String what) {
        out.println(System.currentTimeMillis() + " " + what);
        out.flush();
    }

    static String values(Message m, String column) throws Exception {
        StringBuilder found = new StringBuilder();
        for (Entry e : m.getEntries()) {
            if (e.getEntryType() != EntryType.ROWDATA || e.getHeader().getEventType() != EventType.INSERT) continue;
            for (RowData row : RowChange.parseFrom(e.getStoreValue()).getRowDatasList())
                for (Column one : row.getAfterColumnsList())
                    if (one.getName().equals(column)) found.append(' ').append(one.getValue());
        }
        return found.toString();
    }
}
