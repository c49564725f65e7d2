// The execution context as a component sees it: a map of Java's own types, with functions that ask the hub.
package dev.enact.jvm;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;

import dev.enact.jvm.json.JsonReader;
import dev.enact.jvm.json.Malformed;
import dev.enact.jvm.read.Plain;

/** Makes the context of a call; no class of enact's is needed to use it. */
final class Context {
    /** Where it stands in a frame; it is read only if the operation takes it, and is most of what a small call says. */
    static final String MEMBER = "context";

    private Context() {
    }

    static Map<String, Object> of(Call call, Object config) {
        Map<String, Object> context = new LinkedHashMap<>();
        Object said = read(call.frame.get(MEMBER));
        if (!(said instanceof Map)) {
            // Nobody is to take what is missing for a context that says little.
            throw new IllegalStateException("the call came without its context");
        }
        for (Map.Entry<?, ?> field : ((Map<?, ?>) said).entrySet()) {
            context.put(field.getKey().toString(), exact(field.getValue()));
        }
        context.put("budget_ms", call.frame.get("budget_ms"));
        if (call.frame.get("scratch") != null) {
            context.put("scratch", call.frame.get("scratch"));
        }
        Object files = call.frame.get("files");
        context.put("files", files == null ? Collections.emptyMap() : Plain.of(files));
        context.put("config", Plain.of(config));
        Function<Object, Object> state = key -> Plain.of(state(call, key).get("value"));
        Function<Object, Object> version = key -> state(call, key).get("version");
        Function<Object, Object> reference = id -> Plain.of(
                call.questions.ask(call.id, "reference_get", "reference", String.valueOf(id)).get("value"));
        Consumer<Object> log = line -> call.log(String.valueOf(line));
        Supplier<Object> records = () -> Plain.of(call.questions.ask(call.id, "log_get").get("value"));
        Supplier<Object> cancelled = call::cancelled;
        context.put("state", state);
        context.put("state_version", version);
        context.put("reference", reference);
        context.put("records", records);
        context.put("log", log);
        context.put("cancelled", cancelled);
        return context;
    }

    private static Object read(Object said) {
        try {
            return said instanceof byte[] ? JsonReader.read((byte[]) said) : said;
        } catch (Malformed broken) {
            throw new IllegalStateException("the context of the call is no JSON", broken);
        }
    }

    /** Times in milliseconds stay Long whatever their size, so that nobody's cast depends on the date. */
    private static Object exact(Object value) {
        return value instanceof Long ? value : Plain.of(value);
    }

    /** A key alone is of the session; `execution` and a key, as a list, is of the execution. */
    private static Map<String, Object> state(Call call, Object key) {
        List<Object> parts = new ArrayList<>();
        if (key instanceof List) {
            parts.addAll((List<?>) key);
        } else {
            parts.add("session");
            parts.add(key);
        }
        if (parts.size() != 2) {
            throw new IllegalArgumentException("a state is asked for by its key, or by a list of scope and key");
        }
        return call.questions.ask(call.id, "state_get", "scope", String.valueOf(parts.get(0)), "key", String.valueOf(parts.get(1)));
    }
}
