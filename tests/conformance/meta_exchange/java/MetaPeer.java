// The meta managers of the published Canal server: on a data directory of ours or, with zk:SERVERS for DIR, in ZooKeeper.
//   write DIR CASES   writes every client of the cases file (its form: ../cases.txt)
//   touch DIR DESTINATION CLIENT OFFSET   moves one cursor, as an ack would
//   dump DIR DESTINATION...   prints every client in the form of the cases file
import com.alibaba.otter.canal.common.zookeeper.ZkClientx;
import com.alibaba.otter.canal.meta.CanalMetaManager;
import com.alibaba.otter.canal.meta.FileMixedMetaManager;
import com.alibaba.otter.canal.meta.ZooKeeperMetaManager;
import com.alibaba.otter.canal.protocol.ClientIdentity;
import com.alibaba.otter.canal.protocol.position.EntryPosition;
import com.alibaba.otter.canal.protocol.position.LogIdentity;
import com.alibaba.otter.canal.protocol.position.LogPosition;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.concurrent.ExecutorService;

public class MetaPeer {
    private static final String NONE = "-";

    public static void main(String[] args) throws Exception {
        CanalMetaManager manager = managerAt(args[1]);
        manager.start();
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        if (args[0].equals("write")) {
            for (String line : Files.readAllLines(Paths.get(args[2]), StandardCharsets.UTF_8)) {
                if (!line.isEmpty() && !line.startsWith("#")) write(manager, line.split("\t", -1));
            }
            awaitWriter(manager);
            manager.stop();
        } else if (args[0].equals("touch")) {
            ClientIdentity client = find(manager, args[2], Short.parseShort(args[3]));
            LogPosition cursor = (LogPosition) manager.getCursor(client);
            cursor.getPostion().setPosition(Long.parseLong(args[4]));
            manager.updateCursor(client, cursor);
            manager.stop();
        } else if (args[0].equals("dump")) {
            for (int i = 2; i < args.length; i++) dump(manager, args[i], out);
        } else {
            throw new IllegalArgumentException(args[0]);
        }
        out.flush();
        System.exit(0); // the manager's timer thread is no daemon
    }

    private static CanalMetaManager managerAt(String place) {
        if (place.startsWith("zk:")) {
            ZooKeeperMetaManager manager = new ZooKeeperMetaManager();
            manager.setZkClientx(ZkClientx.getZkClient(place.substring(3)));
            return manager;
        }
        FileMixedMetaManager manager = new FileMixedMetaManager();
        manager.setDataDir(place);
        // Only stop() writes: otherwise the bytes would depend on the moment.
        manager.setPeriod(3600_000);
        return manager;
    }

    // Each subscription has the file written by a thread of the manager's own, which stop() would cut off in the midst of it.
    private static void awaitWriter(CanalMetaManager manager) throws Exception {
        if (!(manager instanceof FileMixedMetaManager)) return;
        Field executor = FileMixedMetaManager.class.getDeclaredField("executor");
        executor.setAccessible(true);
        ((ExecutorService) executor.get(manager)).submit(() -> { }).get();
    }

    private static ClientIdentity find(CanalMetaManager manager, String destination, short id) {
        for (ClientIdentity client : manager.listAllSubscribeInfo(destination)) {
            if (client.getClientId() == id) return client;
        }
        throw new IllegalStateException(destination + " has no client " + id);
    }

    private static void write(CanalMetaManager manager, String[] field) {
        String filter = field[2].equals(NONE) ? null : field[2];
        ClientIdentity client = new ClientIdentity(field[0], Short.parseShort(field[1]), filter);
        manager.subscribe(client);
        if (field[3].equals(NONE)) return;
        EntryPosition entry = new EntryPosition(field[3], Long.parseLong(field[4]), Long.parseLong(field[5]));
        if (!field[6].equals(NONE)) entry.setServerId(Long.parseLong(field[6]));
        entry.setGtid(field[7]);
        entry.setIncluded(Boolean.parseBoolean(field[8]));
        LogPosition cursor = new LogPosition();
        cursor.setPostion(entry);
        cursor.setIdentity(
            new LogIdentity(new InetSocketAddress(field[9], Integer.parseInt(field[10])), Long.parseLong(field[11])));
        manager.updateCursor(client, cursor);
    }

    private static void dump(CanalMetaManager manager, String destination, PrintStream out) {
        for (ClientIdentity client : manager.listAllSubscribeInfo(destination)) {
            String filter = client.getFilter() == null ? NONE : client.getFilter();
            String line = client.getDestination() + "\t" + client.getClientId() + "\t" + filter;
            LogPosition cursor = (LogPosition) manager.getCursor(client);
            if (cursor == null) {
                out.println(line + "\t" + NONE);
                continue;
            }
            EntryPosition entry = cursor.getPostion();
            InetSocketAddress address = cursor.getIdentity().getSourceAddress();
            out.println(
                line + "\t" + entry.getJournalName() + "\t" + entry.getPosition() + "\t" + entry.getTimestamp() + "\t"
                    + (entry.getServerId() == null ? NONE : entry.getServerId()) + "\t" + entry.getGtid() + "\t"
                    + entry.isIncluded() + "\t" + address.getHostString() + "\t" + address.getPort() + "\t"
                    + cursor.getIdentity().getSlaveId());
        }
    }
}
