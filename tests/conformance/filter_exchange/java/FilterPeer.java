import com.alibaba.otter.canal.filter.aviater.AviaterRegexFilter;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URLDecoder;

/** Reads "list TAB name" lines (percent-encoded), prints Canal's verdict on each: 1, 0, E for an expression
 * that ORO refuses, X when ORO fails while it matches. */
public final class FilterPeer {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, "UTF-8");
        String previous = null;
        AviaterRegexFilter filter = null;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            int tab = line.indexOf('\t');
            String list = line.substring(0, tab);
            if (!list.equals(previous)) {
                filter = new AviaterRegexFilter(decode(list));
                previous = list;
            }
            out.println(verdict(filter, decode(line.substring(tab + 1))));
        }
        out.flush();
    }

    private static String verdict(AviaterRegexFilter filter, String name) {
        try {
            return filter.filter(name) ? "1" : "0";
        } catch (RuntimeException | StackOverflowError e) {
            for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                if (cause instanceof org.apache.oro.text.regex.MalformedPatternException) return "E";
            }
            return "X";
        }
    }

    private static String decode(String text) throws Exception {
        return URLDecoder.decode(text.replace("+", "%2B"), "UTF-8");
    }
}
