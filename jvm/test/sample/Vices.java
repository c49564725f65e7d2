// A component whose methods do what none should.
package sample;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;

public final class Vices {
    public static Object fails() { throw new IllegalStateException("it is broken"); }
    public static Object failsDeep() throws Exception { throw new Exception(new String(new char[20000]).replace('\0', 'x')); }
    /** Half of a heap of 128 MiB; nothing may be made of it. */
    public static Object failsHuge() {
        throw new IllegalStateException(new String(filled(40_000_000), StandardCharsets.ISO_8859_1));
    }
    public static Object failsHugeBehind() {
        String huge = new String(filled(40_000_000), StandardCharsets.ISO_8859_1);
        throw new IllegalStateException("in front", new IllegalArgumentException(huge));
    }
    public static Object failsSwollen() { throw new Swollen(); }
    public static Object takesStreams() {
        System.setOut(null);
        System.setErr(null);
        return "taken";
    }
    private static byte[] filled(int count) {
        byte[] bytes = new byte[count];
        Arrays.fill(bytes, (byte) 'm');
        return bytes;
    }
    public static Object nameless() { throw new Nameless(); }
    public static int deep(int depth) { return 1 + deep(depth + 1); }
    public static Object nan() { return Collections.singletonMap("a", Arrays.asList(1.0, Double.NaN)); }
    public static Object infinite() { return Float.POSITIVE_INFINITY; }
    public static Object endless() { return Stream.iterate(1, one -> one + 1); }
    public static Object big(int bytes) { return new String(new char[bytes]).replace('\0', 'x'); }
    public static Object thread() { return new Object[] {Thread.currentThread()}; }
    public static Object badKey() { return Collections.singletonMap(new int[0], 1); }
    public static Object halfPair() { return "a\ud800b"; }
    public static String echo(String text) { return text; }
    public static Object future(int value) { return CompletableFuture.supplyAsync(() -> value + 1); }
    public static Future<Integer> oldFuture(int value) {
        return Executors.newSingleThreadExecutor(Vices::daemon).submit(() -> value + 1);
    }
    public static Object failedFuture() {
        return CompletableFuture.supplyAsync(() -> { throw new IllegalStateException("later"); });
    }
    public static Object never() { return new CompletableFuture<>(); }
    public static Object property() { return new Property(); }
    public static Object noProperty() { return new Object(); }
    public static Object missing() throws Exception { throw new NoClassDefFoundError("com/acme/Gone"); }

    public static Object cycle() {
        Map<String, Object> map = new HashMap<>();
        map.put("a", Arrays.asList(1, map));
        return map;
    }

    public static Object deeplyNested() {
        List<Object> inner = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            inner = new ArrayList<>(Collections.singletonList(inner));
        }
        return inner;
    }

    public static Object exit(int status) {
        System.exit(status);
        return "went on";
    }

    public static Object halt(int status) {
        Runtime.getRuntime().halt(status);
        return "went on";
    }

    public static Object exitCaught(int status) {
        try {
            System.exit(status);
        } catch (Throwable caught) {
            return "caught";
        }
        return "went on";
    }

    public static Object exitElsewhere(int status) throws Exception {
        Thread thread = new Thread(() -> System.exit(status));
        thread.start();
        thread.join();
        return "went on";
    }

    public static Object unguard() {
        System.setSecurityManager(null);
        return "gone";
    }

    public static Object exhaust() {
        List<long[]> held = new ArrayList<>();
        while (true) {
            held.add(new long[1 << 17]);
        }
    }

    public static Object sleep(long ms) throws InterruptedException {
        Thread.sleep(ms);
        return "slept";
    }

    private static final CountDownLatch GATE = new CountDownLatch(1);

    /** Waits until another call opens the gate. */
    public static Object waits() throws InterruptedException {
        GATE.await();
        return "through";
    }

    public static Object opens() {
        GATE.countDown();
        return "open";
    }

    public static Object readsInput() throws Exception { return System.in.read(); }

    public static Object closesInput() throws Exception {
        new java.io.FileInputStream(java.io.FileDescriptor.in).close();
        return "closed";
    }

    public static Object hangingHook() {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            while (true) {
                try {
                    Thread.sleep(1000);
                } catch (InterruptedException deaf) {
                    continue;
                }
            }
        }));
        return "hung";
    }

    public static Object threads(int count) {
        for (int i = 0; i < count; i++) {
            Thread thread = new Thread(() -> {
                try {
                    Thread.sleep(60_000);
                } catch (InterruptedException end) {
                    return;
                }
            });
            thread.start();
        }
        return "started";
    }

    public static Object initialiser(String which) throws Exception {
        return Class.forName("sample.Vices$" + which).getField("VALUE").get(null);
    }

    public static final class Throws {
        public static final Object VALUE = broken();
        private static Object broken() { throw new IllegalStateException("no static"); }
    }

    public static final class Exits {
        public static final Object VALUE = ended();
        private static Object ended() { System.exit(4); return "went on"; }
    }

    public static final class Sleeps {
        public static final Object VALUE = slept();
        private static Object slept() {
            try {
                Thread.sleep(60_000);
            } catch (InterruptedException cancelled) {
                throw new IllegalStateException("interrupted", cancelled);
            }
            return "slept";
        }
    }

    public static final class Nameless extends RuntimeException {
        @Override public String getMessage() { throw new IllegalStateException("no message"); }
        @Override public String toString() { throw new IllegalStateException("no text"); }
    }

    /** What it says fits into no heap. */
    public static final class Swollen extends RuntimeException {
        @Override public String getMessage() { return new String(new char[Integer.MAX_VALUE - 8]); }
    }

    public static final class Property {
        public int getFine() { return 1; }
        public int getBroken() { throw new IllegalArgumentException("this getter throws"); }
    }

    private static Thread daemon(Runnable runnable) {
        Thread thread = new Thread(runnable);
        thread.setDaemon(true);
        return thread;
    }

    // What cannot be resolved.
    static Object hidden() { return null; }
    public static Object over(int value) { return "int"; }
    public static Object over(String value) { return "text"; }
    public static Object over(Object value) { return "any"; }
    public static Object over() { return "none"; }
    public static Object over(int one, int two) { return "two"; }
    public static Object iterators(Iterator<Thread> value) { return value; }
    public Object instance() { return "an instance of " + getClass().getSimpleName(); }

    public static final class Unmade {
        private final int given;
        public Unmade(int given) { this.given = given; }
        public int get() { return given; }
    }
}
