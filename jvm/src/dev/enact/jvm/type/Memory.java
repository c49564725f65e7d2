// What one JVM finds out of its class path and the next one with the same need not: with it a start opens no jar at all.
package dev.enact.jvm.type;

import java.nio.file.FileSystems;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

import dev.enact.jvm.json.JsonWriter;

/** Names of classes that are not there, and the Scala signatures of classes that are. */
public final class Memory {
    /** More would cost a start more than it saves. */
    private static final int NAMES_MAX = 1000;
    private static final int SIGNATURES_MAX_CHARS = 64 * 1024;

    private final Set<String> absent = new TreeSet<>();
    private final Map<String, String> signatures = new TreeMap<>();
    private final boolean keeps;
    private final boolean isNew;
    private int chars;

    /** Takes what an earlier JVM has written, or nothing; one that does not keep stays empty. */
    public Memory(Object said, boolean keeps) {
        this.keeps = keeps;
        isNew = keeps && !(said instanceof Map);
        if (keeps && said instanceof Map) {
            Object names = ((Map<?, ?>) said).get("absent");
            for (Object name : names instanceof List ? (List<?>) names : Collections.emptyList()) {
                absent.add(String.valueOf(name));
            }
            Object texts = ((Map<?, ?>) said).get("signatures");
            for (Map.Entry<?, ?> text : (texts instanceof Map ? (Map<?, ?>) texts : Collections.emptyMap()).entrySet()) {
                signatures.put(String.valueOf(text.getKey()), String.valueOf(text.getValue()));
            }
        }
    }

    /** Returns whether nobody remembers anything yet, so that it is worth to look further than one has to. */
    public boolean isNew() {
        return isNew;
    }

    /** Returns whether a class was looked for in vain. */
    public synchronized boolean isAbsent(String name) {
        return absent.contains(name);
    }

    /** Keeps that a class was looked for in vain. */
    public synchronized void keepAbsent(String name) {
        if (keeps && absent.size() < NAMES_MAX) {
            absent.add(name);
        }
    }

    /** Returns the signature of a class, empty if it has none; null if nobody knows. */
    public synchronized byte[] signature(String className) {
        String text = signatures.get(className);
        return text == null ? null : Base64.getDecoder().decode(text);
    }

    /** Keeps the signature of a class, or that it has none. */
    public synchronized void keepSignature(String className, byte[] signature) {
        String text = signature == null ? "" : Base64.getEncoder().encodeToString(signature);
        if (keeps && chars + text.length() <= SIGNATURES_MAX_CHARS) {
            chars += text.length();
            signatures.put(className, text);
        }
    }

    /** Writes what another memory is made of. */
    public synchronized void write(JsonWriter json) {
        // Only the next one takes these, and then they shall be in the archive of classes that is made of this one.
        Base64.getDecoder();
        FileSystems.getDefault();
        json.beginObject().name("absent").beginArray();
        for (String name : new ArrayList<>(absent)) {
            json.string(name);
        }
        json.endArray().name("signatures").value(signatures).endObject();
    }
}
