// The exception for JSON that does not suit a Java type: where, what and which type.
package dev.enact.jvm.read;

import dev.enact.jvm.json.JsonWriter;
import dev.enact.jvm.json.TooLarge;

/** A part of an argument does not suit; its pointer grows while it goes up. */
public final class BadArgument extends Exception {
    private static final long serialVersionUID = 1;
    private static final int SHOWN_CHARS = 80;

    private final String why;
    private final String value;
    private final String type;
    private final boolean missing;
    private String pointer = "";

    /** Says why a value, as the reader of JSON returned it, is not of a type. */
    public BadArgument(Object value, String type, String why) {
        this(value, type, why, false);
    }

    private BadArgument(Object value, String type, String why, boolean missing) {
        super(null, null, false, false);
        this.missing = missing;
        this.why = why;
        this.value = shown(value);
        this.type = type;
    }

    /** Says that a member is not there. */
    public static BadArgument missing(String type) {
        return new BadArgument(null, type, "is missing", true);
    }

    static BadArgument not(Object value, Class<?> type) {
        return new BadArgument(value, type.getName(), "is not " + named(type));
    }

    private static String named(Class<?> type) {
        String name = type.getSimpleName();
        return ("AEIOUaeiou".indexOf(name.charAt(0)) >= 0 ? "an " : "a ") + name;
    }

    /** Returns itself, seen from the array or object around it. */
    public BadArgument under(Object step) {
        pointer = "/" + step.toString().replace("~", "~0").replace("/", "~1") + pointer;
        return this;
    }

    public String pointer() {
        return pointer;
    }

    public String value() {
        return value;
    }

    public String type() {
        return type;
    }

    @Override
    public String getMessage() {
        return (pointer.isEmpty() ? "the argument" : pointer) + ": " + (missing ? "" : value + " ") + why;
    }

    private static String shown(Object value) {
        String text;
        try {
            JsonWriter json = new JsonWriter(SHOWN_CHARS * 8).value(value);
            text = new String(json.frame(), JsonWriter.HEADER, json.length() - JsonWriter.HEADER,
                    java.nio.charset.StandardCharsets.UTF_8);
        } catch (TooLarge large) {
            text = value instanceof String ? '"' + ((String) value).substring(0, SHOWN_CHARS) : "a large value";
        }
        return text.length() > SHOWN_CHARS ? text.substring(0, SHOWN_CHARS) + "…" : text;
    }
}
