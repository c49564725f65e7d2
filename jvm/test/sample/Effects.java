// A component that uses its context and answers with effects, without a class of enact's.
package sample;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;

public final class Effects {
    private int made;

    /** Counts in the state of the session. */
    @SuppressWarnings("unchecked")
    public Envelope count(String key, Map<String, Object> context) {
        Object held = ((Function<Object, Object>) context.get("state")).apply(key);
        Object version = ((Function<Object, Object>) context.get("state_version")).apply(key);
        Envelope envelope = new Envelope();
        int value = held == null ? 1 : (Integer) held + 1;
        envelope.output = Collections.singletonMap("count", value);
        Map<String, Object> change = new LinkedHashMap<>();
        change.put("scope", "session");
        change.put("set", key);
        change.put("value", value);
        change.put("if_version", version);
        envelope.state = Collections.singletonList(change);
        return envelope;
    }

    public static final class Envelope {
        public Object output;
        public List<Map<String, Object>> state;
        public List<Map<String, Object>> events;
    }

    @SuppressWarnings("unchecked")
    public static Object describe(Map<String, Object> about) {
        ((Consumer<Object>) about.get("log")).accept("looking around");
        Object reference = ((Function<Object, Object>) about.get("reference")).apply("ref_1");
        return Arrays.asList(about.get("execution_id"), about.get("files"), about.get("scratch"), about.get("config"),
                about.get("created_at"), reference);
    }

    public synchronized int instances() {
        return ++made;
    }

    public static String loader() throws Exception {
        Class<?> seen = Thread.currentThread().getContextClassLoader().loadClass("sample.Version");
        return seen.getField("NAME").get(null) + (seen.getClassLoader() == Effects.class.getClassLoader() ? "" : " of another loader");
    }
}
