import com.oceanbase.clogproxy.client.LogProxyClient;
import com.oceanbase.clogproxy.client.config.ClientConf;
import com.oceanbase.clogproxy.client.config.ObReaderConfig;
import com.oceanbase.clogproxy.client.exception.LogProxyClientException;
import com.oceanbase.clogproxy.client.listener.RecordListener;
import com.oceanbase.oms.logmessage.DataMessage.Record.Field;
import com.oceanbase.oms.logmessage.LogMessage;

import java.io.PrintStream;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The published log-proxy client of OceanBase: prints what it reads as one JSON object per record.
 * RecordPeer HOST PORT PROTOCOL START_US RECORDS; ends with 0 after RECORDS records, with 1 on a failure or after 60 s.
 */
public class RecordPeer {
    static final PrintStream OUT = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false);
    static final CountDownLatch DONE = new CountDownLatch(1);
    static volatile Throwable failure;
    static int left;

    public static void main(String[] args) throws Exception {
        left = Integer.parseInt(args[4]);
        ObReaderConfig config = new ObReaderConfig();
        config.setRsList("127.0.0.1:2882:2881");
        config.setUsername("user@tenant");
        config.setPassword("secret");
        config.setStartTimestamp(Long.parseLong(args[3]) / 1_000_000);
        config.setStartTimestampUs(Long.parseLong(args[3]));
        config.setTableWhiteList("*.*.*");
        ClientConf conf = ClientConf.builder().protocolVersion(Integer.parseInt(args[2])).maxReconnectTimes(0).build();
        LogProxyClient client = new LogProxyClient(args[0], Integer.parseInt(args[1]), config, conf);
        client.addListener(new RecordListener() {
            @Override
            public void notify(LogMessage record) {
                if (left == 0) return;
                try {
                    print(record);
                } catch (Throwable e) {
                    fail(e);
                }
                if (--left == 0) DONE.countDown();
            }

            @Override
            public void onException(LogProxyClientException e) {
                fail(e);
            }
        });
        client.start();
        if (!DONE.await(60, TimeUnit.SECONDS)) fail(new Exception(left + " records are missing after 60 s"));
        OUT.flush();
        if (failure != null) failure.printStackTrace();
        Runtime.getRuntime().halt(failure == null ? 0 : 1); // the client's own hook waits for a thread that waits for room
    }

    static void fail(Throwable e) {
        failure = e;
        DONE.countDown();
    }

    static void print(LogMessage record) throws Exception {
        byte[] raw = record.getRawData();
        new LogMessage(true).parse(raw); // refuses a wrong checksum
        StringBuilder to = new StringBuilder("{\"op\":\"").append(record.getOpt()).append("\",\"db\":");
        text(to, record.getDbName());
        text(to.append(",\"table\":"), record.getTableName());
        text(to.append(",\"id\":"), record.getOB10UniqueId());
        to.append(",\"timestamp\":").append(record.getTimestamp()).append(",\"usec\":").append(record.getTimestampUsec());
        to.append(",\"checkpoint_sec\":").append(record.getFileNameOffset());
        to.append(",\"checkpoint_usec\":").append(record.getFileOffset());
        values(to.append(",\"old\":"), record, true);
        values(to.append(",\"new\":"), record, false);
        hex(to.append(",\"raw\":"), raw, raw.length);
        OUT.print(to.append("}\n"));
    }

    static void values(StringBuilder to, LogMessage record, boolean before) {
        to.append('[');
        List<Field> fields = record.getFieldList();
        boolean first = true;
        for (int i = 0; fields != null && i < fields.size(); i++) {
            Field field = fields.get(i);
            if (field.isPrev() != before) continue;
            text(to.append(first ? "[" : ",["), field.getFieldname());
            byte[] value = field.getValue() == null ? null : field.getValue().getBytes();
            hex(to.append(','), value, value == null ? 0 : field.getValue().getLen());
            to.append(']');
            first = false;
        }
        to.append(']');
    }

    static void text(StringBuilder to, String text) {
        if (text == null) {
            to.append("null");
            return;
        }
        to.append('"');
        for (char c : text.toCharArray()) to.append(c < ' ' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : c);
        to.append('"');
    }

    static void hex(StringBuilder to, byte[] bytes, int size) {
        if (bytes == null) {
            to.append("null");
            return;
        }
        to.append('"');
        for (int i = 0; i < size; i++) to.append(Character.forDigit(bytes[i] >> 4 & 15, 16)).append(Character.forDigit(bytes[i] & 15, 16));
        to.append('"');
    }
}
