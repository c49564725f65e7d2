// A class with every vice, for the conformance suite of the jar host; each method is a probe.

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The probes. */
public final class Probes {
    private static final List<Object> HELD = Collections.synchronizedList(new ArrayList<>());

    private Probes() {
    }

    public static Object echo(Object argument) {
        return argument;
    }

    public static Object sleep(Map<String, Object> argument) throws InterruptedException {
        Thread.sleep(((Number) argument.get("ms")).longValue());
        return argument;
    }

    public static Object typedFailure(Object argument) throws Exception {
        throw new EmptyBasket("the basket is empty");
    }

    public static int badArgument(int items) {
        return items;
    }

    public static Object loop(Object argument) {
        // Endless as far as any deadline goes; but a test that fails must not leave it on the machine.
        long end = System.nanoTime() + 60_000_000_000L;
        while (System.nanoTime() < end) {
            Thread.interrupted();
        }
        return null;
    }

    public static Object cooperative(Object argument) throws InterruptedException {
        Thread.sleep(60_000);
        return null;
    }

    public static Object exit(Object argument) {
        System.exit(3);
        return "it went on";
    }

    public static Object halt(Object argument) {
        Runtime.getRuntime().halt(4);
        return null;
    }

    public static Object segfault(Object argument) throws Exception {
        Class<?> unsafe = Class.forName("sun.misc.Unsafe");
        Field held = unsafe.getDeclaredField("theUnsafe");
        held.setAccessible(true);
        unsafe.getMethod("putAddress", long.class, long.class).invoke(held.get(null), 0L, 0L);
        return null;
    }

    public static Object kill(Object argument) throws Exception {
        String pid = java.lang.management.ManagementFactory.getRuntimeMXBean().getName().split("@")[0];
        new ProcessBuilder("kill", "-9", pid).start().waitFor();
        Thread.sleep(60_000);
        return null;
    }

    public static Object exhaust(Object argument) {
        List<byte[]> held = new ArrayList<>();
        while (true) {
            held.add(new byte[4 << 20]);
        }
    }

    /** Makes classes as a generator of proxies does that forgets none: each is this one by another name. */
    public static Object classes(Object argument) throws IOException {
        byte[] bytes = new byte[1 << 16];
        int length = 0;
        try (java.io.InputStream own = Probes.class.getResourceAsStream("/Probes.class")) {
            for (int count = 0; count >= 0; length += count, count = own.read(bytes, length, bytes.length - length)) {
                continue;
            }
        }
        String text = new String(bytes, 0, length, StandardCharsets.ISO_8859_1);
        Maker maker = new Maker();
        HELD.add(maker);
        for (int i = 100_000; true; i++) {
            maker.make(text.replace("Probes", Integer.toString(i)).getBytes(StandardCharsets.ISO_8859_1));
        }
    }

    public static Object overflow(Object argument) {
        return deeper(0);
    }

    private static int deeper(int depth) {
        return deeper(depth + 1) + 1;
    }

    public static Object flood(Object argument) {
        byte[] chunk = new byte[1 << 20];
        for (int i = 0; i < 1024; i++) {
            System.out.write(chunk, 0, chunk.length);
        }
        return argument;
    }

    public static Object bigReply(Object argument) {
        byte[] text = new byte[100 << 20];
        java.util.Arrays.fill(text, (byte) 'x');
        return new String(text, StandardCharsets.ISO_8859_1);
    }

    public static Object header(Object argument) throws Exception {
        raw(new byte[] {-1, -1, -1, -1});
        Thread.sleep(60_000);
        return null;
    }

    public static Object garbage(Object argument) throws Exception {
        raw("\0\0\0\10not json".getBytes(StandardCharsets.ISO_8859_1));
        Thread.sleep(60_000);
        return null;
    }

    public static Object half(Object argument) throws Exception {
        raw(new byte[] {0, 0, 1, 0, '{'});
        Runtime.getRuntime().halt(0);
        return null;
    }

    public static Object twoReplies(Object argument) throws Exception {
        frame("{\"type\":\"ok\",\"id\":" + call().get("id") + ",\"output\":1}");
        return 2;
    }

    public static Object strayReply(Object argument) throws Exception {
        frame("{\"type\":\"ok\",\"id\":999999,\"output\":1}");
        Thread.sleep(60_000);
        return null;
    }

    public static Object lateReply(Object argument) {
        long end = System.nanoTime() + 1_500_000_000L;
        while (System.nanoTime() < end) {
            Thread.interrupted();
        }
        return "late";
    }

    public static Object deep(Object argument) throws Exception {
        StringBuilder text = new StringBuilder("{\"type\":\"ok\",\"id\":" + call().get("id") + ",\"output\":");
        for (int i = 0; i < 10_000; i++) {
            text.append('[');
        }
        for (int i = 0; i < 10_000; i++) {
            text.append(']');
        }
        frame(text.append('}').toString());
        Thread.sleep(60_000);
        return null;
    }

    public static Object badEffects(Object argument) {
        Map<String, Object> envelope = new HashMap<>();
        envelope.put("output", 1);
        envelope.put("stat", Collections.emptyList());
        return envelope;
    }

    /** Sends the request that its argument holds, as a component could that reaches into the classes of the JVM side. */
    public static Object ask(Map<String, Object> request) throws Exception {
        Map<String, Object> call = call();
        Object questions = call.get("questions");
        Method ask = questions.getClass().getDeclaredMethod("ask", long.class, String.class, String[].class);
        ask.setAccessible(true);
        List<String> fields = new ArrayList<>();
        for (Map.Entry<String, Object> field : request.entrySet()) {
            if (!field.getKey().equals("type") && !field.getKey().equals("call")) {
                fields.add(field.getKey());
                fields.add(String.valueOf(field.getValue()));
            }
        }
        Object named = request.get("call");
        long id = named instanceof Number ? ((Number) named).longValue() : (Long) call.get("id");
        try {
            return ask.invoke(questions, id, request.get("type"), fields.toArray(new String[0]));
        } catch (java.lang.reflect.InvocationTargetException refused) {
            Map<String, Object> error = new LinkedHashMap<>();
            error.put("type", "context_error");
            String message = refused.getCause().getMessage();
            error.put("code", message.contains("refused") ? "refused" : message.contains("was invalid") ? "invalid" : "other");
            return error;
        }
    }

    public static Object threads(Object argument) throws InterruptedException {
        for (int i = 0; i < 1000; i++) {
            Thread thread = new Thread(() -> {
                try {
                    Thread.sleep(60_000);
                } catch (InterruptedException over) {
                    return;
                }
            });
            thread.setDaemon(true);
            thread.start();
        }
        Thread.sleep(20_000);
        return null;
    }

    public static Object closeWire(Object argument) throws Exception {
        new FileInputStream(FileDescriptor.in).close();
        Thread.sleep(20_000);
        return null;
    }

    public static Object hook(Object argument) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            while (true) {
                try {
                    Thread.sleep(60_000);
                } catch (InterruptedException again) {
                    continue;
                }
            }
        }));
        return argument;
    }

    public static Object leaveChild(Object argument) throws Exception {
        Process process = new ProcessBuilder("setsid", "sleep", String.valueOf(argument)).start();
        return process.isAlive();
    }

    public static Object broken(Object argument) {
        return BrokenStart.VALUE;
    }

    public static Object missing(Object argument) {
        return Absent.value();
    }

    public static Object nan(Object argument) {
        return Double.NaN;
    }

    public static Object cycle(Object argument) {
        List<Object> list = new ArrayList<>();
        list.add(list);
        return list;
    }

    public static Object large(Object argument) {
        HELD.add(new byte[96 << 20]);
        return HELD.size();
    }

    public static void main(String[] args) throws Exception {
        if (args.length > 0 && args[0].equals("exit")) {
            System.out.print("bye");
            System.exit(Integer.parseInt(args[1]));
        }
        if (args.length > 0 && args[0].equals("maps")) {
            // The archives of classes that this JVM uses.
            for (String line : Files.readAllLines(Paths.get("/proc/self/maps"))) {
                if (line.endsWith(".jsa")) {
                    System.out.println(line);
                }
            }
            return;
        }
        StringBuilder text = new StringBuilder(String.join(",", args));
        for (int next = System.in.read(); next >= 0; next = System.in.read()) {
            text.append((char) next);
        }
        System.out.print(text);
    }

    private static void frame(String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        byte[] framed = new byte[bytes.length + 4];
        for (int i = 0; i < 4; i++) {
            framed[i] = (byte) (bytes.length >>> (24 - 8 * i));
        }
        System.arraycopy(bytes, 0, framed, 4, bytes.length);
        raw(framed);
    }

    private static void raw(byte[] bytes) throws IOException {
        new FileOutputStream(FileDescriptor.in).write(bytes);
    }

    /** The fields of the call that runs here. */
    private static Map<String, Object> call() throws Exception {
        Field calling = Class.forName("dev.enact.jvm.Exit").getDeclaredField("CALLING");
        calling.setAccessible(true);
        Object call = ((ThreadLocal<?>) calling.get(null)).get();
        Map<String, Object> fields = new HashMap<>();
        for (Field field : call.getClass().getDeclaredFields()) {
            field.setAccessible(true);
            fields.put(field.getName(), field.get(call));
        }
        return fields;
    }

    /** Makes classes of bytes. */
    static final class Maker extends ClassLoader {
        void make(byte[] bytes) {
            resolveClass(defineClass(null, bytes, 0, bytes.length));
        }
    }

    /** A class whose initialiser throws. */
    static final class BrokenStart {
        static final Object VALUE = fail();

        private static Object fail() {
            throw new IllegalStateException("no licence");
        }
    }
}

/** A failure with a name of its own. */
class EmptyBasket extends Exception {
    EmptyBasket(String message) {
        super(message);
    }
}

/** Is taken out of the jar after it was compiled. */
class Absent {
    static Object value() {
        return 1;
    }
}
