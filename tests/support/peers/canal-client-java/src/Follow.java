import java.io.PrintStream;
import java.util.concurrent.TimeUnit;

import com.alibaba.otter.canal.client.CanalConnector;
import com.alibaba.otter.canal.protocol.CanalEntry.*;
import com.alibaba.otter.canal.protocol.Message;

/**
 * Reads and acknowledges for ever, and connects again when the stock connector gives up: what an application has to do. One line
 * per event, with the milliseconds since the epoch: "connected", "lost CAUSE", "batch ID COLUMN..." (values of the column in
 * the inserted rows, sent before the ack) and "ack ID" (the connector has sent it).
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
                for (;;) {
                    Message m = c.getWithoutAck(batch, 200L, TimeUnit.MILLISECONDS);
                    if (m.getId() == -1 || m.getEntries().isEmpty()) continue;
                    say(out, "batch " + m.getId() + values(m, column));
                    c.ack(m.getId());
                    say(out, "ack " + m.getId());
                }
            } catch (Exception e) {
                say(out, "lost " + String.valueOf(e.getMessage()).replaceAll("\\s+", " "));
                try { if (c != null) c.disconnect(); } catch (Exception e2) { }
                Thread.sleep(100);
            }
        }
    }

    static void say(PrintStream out, String what) {
        out.println(System.currentTimeMillis() + " " + what);
        out.flush();
    }

    static String values(Message m, String column) throws Exception {
        StringBuilder found = new StringBuilder();
        for (Entry e : m.getEntries()) {
            if (e.getEntryType() != EntryType.ROWDATA) continue;
            for (RowData row : RowChange.parseFrom(e.getStoreValue()).getRowDatasList())
                for (Column one : row.getAfterColumnsList())
                    if (one.getName().equals(column)) found.append(' ').append(one.getValue());
        }
        return found.toString();
    }
}
