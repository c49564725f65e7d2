// Names of JSON objects as keys of maps: texts, enums, numbers, and whatever else is a text.
package dev.enact.jvm.read;

import dev.enact.jvm.json.JsonReader;
import dev.enact.jvm.json.Malformed;
import dev.enact.jvm.type.TypeTree;
import dev.enact.jvm.type.Unresolvable;

/** Reads a name as a key. */
final class Keys {
    private final Reader reader;
    private final boolean quoted;

    private Keys(Reader reader, boolean quoted) {
        this.reader = reader;
        this.quoted = quoted;
    }

    static Keys of(TypeTree type) throws Unresolvable {
        Class<?> raw = type.raw;
        if (raw == Object.class) {
            return new Keys(new Plain(), true);
        }
        Reader text = Texts.of(raw);
        if (text != null) {
            return new Keys(text, true);
        }
        Reader scalar = Scalars.of(raw);
        if (scalar == null) {
            throw new Unresolvable("the keys of a map are names in JSON and cannot be " + type);
        }
        boolean isText = CharSequence.class.isAssignableFrom(raw) || raw == Character.class || raw == char.class;
        return new Keys(scalar, isText);
    }

    Object read(String name) throws BadArgument {
        if (quoted) {
            return reader.read(name);
        }
        Object value;
        try {
            value = JsonReader.read(name.getBytes(java.nio.charset.StandardCharsets.UTF_8));
        } catch (Malformed noNumber) {
            value = name;
        }
        return reader.read(value);
    }
}
