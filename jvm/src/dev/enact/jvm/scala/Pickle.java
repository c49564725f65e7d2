// The pickled signature that Scala 2 leaves in its classes: symbols and types in a table of entries.
package dev.enact.jvm.scala;

import java.lang.annotation.Annotation;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import dev.enact.jvm.type.Memory;

/** One pickle; it belongs to a top-level class and tells of everything inside of it. */
final class Pickle {
    private static final int TERM_NAME = 1;
    private static final int TYPE_NAME = 2;
    private static final int TYPE_SYMBOL = 4;
    private static final int ALIAS_SYMBOL = 5;
    private static final int CLASS_SYMBOL = 6;
    private static final int MODULE_SYMBOL = 7;
    private static final int VALUE_SYMBOL = 8;
    private static final int EXTERNAL = 9;
    private static final int EXTERNAL_MODULE = 10;
    private static final int TYPE_REFERENCE = 16;
    private static final int METHOD_TYPE = 20;
    private static final int POLY_TYPE = 21;
    private static final int ANNOTATED_TYPE = 42;
    private static final int EXISTENTIAL_TYPE = 48;
    /** The flag of a class that is the class of an object, as pickles number flags. */
    private static final long MODULE_FLAG = 1L << 10;

    private final byte[] bytes;
    private final int[] offsets;

    private Pickle(byte[] bytes) {
        this.bytes = bytes;
        Cursor cursor = new Cursor(0, bytes.length);
        cursor.number();
        cursor.number();
        offsets = new int[(int) cursor.number()];
        for (int i = 0; i < offsets.length; i++) {
            offsets[i] = cursor.at;
            cursor.at++;
            int length = (int) cursor.number();
            cursor.at += length;
        }
    }

    /** A parameter by its name in the source. */
    static final class Parameter {
        final String name;
        final Type type;

        Parameter(String name, Type type) {
            this.name = name;
            this.type = type;
        }
    }

    /** A type: a symbol by its full name, with arguments. */
    static final class Type {
        /** Such as `scala.collection.immutable.List`; the owners are packages, objects or classes. */
        final String name;
        final List<Type> args;
        /** Whether it is a parameter of a class or method, so that its name has no owner. */
        final boolean variable;

        Type(String name, List<Type> args, boolean variable) {
            this.name = name;
            this.args = args;
            this.variable = variable;
        }
    }

    /** Returns the pickle of the top-level class around a class, or null. */
    static Pickle of(String className, ScalaLibrary scala, Memory memory) {
        String top = className;
        for (int cut = top.length(); cut > 0; cut = top.lastIndexOf('$')) {
            top = top.substring(0, cut);
            Class<?> candidate = scala.find(top);
            byte[] bytes = candidate == null ? null : bytes(candidate, memory);
            if (bytes != null) {
                return new Pickle(bytes);
            }
        }
        return null;
    }

    /** Java makes two classes to read an annotation, so a signature is read once for all that come later. */
    private static byte[] bytes(Class<?> type, Memory memory) {
        byte[] known = memory.signature(type.getName());
        if (known != null) {
            return known.length == 0 ? null : known;
        }
        byte[] read = bytes(type);
        memory.keepSignature(type.getName(), read);
        return read;
    }

    private static byte[] bytes(Class<?> type) {
        for (Annotation annotation : type.getAnnotations()) {
            String name = annotation.annotationType().getName();
            try {
                Object value = name.startsWith("scala.reflect.Scala") ? annotation.annotationType().getMethod("bytes").invoke(annotation)
                        : null;
                if (value instanceof String) {
                    return decoded((String) value);
                }
                if (value instanceof String[]) {
                    return decoded(String.join("", (String[]) value));
                }
            } catch (ReflectiveOperationException other) {
                return null;
            }
        }
        return null;
    }

    /** Seven bits in each character, moved up by one so that none is zero; the lowest bits come first. */
    private static byte[] decoded(String text) {
        byte[] whole = new byte[text.length() * 7 / 8 + 1];
        int bits = 0;
        int held = 0;
        int length = 0;
        for (int i = 0; i < text.length(); i++) {
            int seven = text.charAt(i) - 1 & 0x7f;
            held |= seven << bits;
            bits += 7;
            if (bits >= 8) {
                whole[length++] = (byte) held;
                held >>>= 8;
                bits -= 8;
            }
        }
        return Arrays.copyOf(whole, length);
    }

    private final class Cursor {
        int at;
        final int end;

        Cursor(int at, int end) {
            this.at = at;
            this.end = end;
        }

        long number() {
            long value = 0;
            int next;
            do {
                next = bytes[at++];
                value = value << 7 | next & 0x7f;
            } while ((next & 0x80) != 0);
            return value;
        }

        int reference() {
            return (int) number();
        }
    }

    private int tag(int entry) {
        return bytes[offsets[entry]];
    }

    private Cursor body(int entry) {
        Cursor cursor = new Cursor(offsets[entry] + 1, bytes.length);
        int length = (int) cursor.number();
        return new Cursor(cursor.at, cursor.at + length);
    }

    /** A symbol that is defined in this pickle. */
    private final class Symbol {
        final String name;
        final int owner;
        final long flags;
        final int info;

        Symbol(int entry) {
            Cursor cursor = body(entry);
            name = nameOf(cursor.reference());
            owner = cursor.reference();
            flags = cursor.number();
            int next = cursor.reference();
            int tag = tag(next);
            boolean within = tag >= TYPE_SYMBOL - 1 && tag <= EXTERNAL_MODULE;
            info = within ? cursor.reference() : next;
        }
    }

    private String nameOf(int entry) {
        Cursor cursor = body(entry);
        return new String(bytes, cursor.at, cursor.end - cursor.at, StandardCharsets.UTF_8);
    }

    /** Returns the name of a symbol with those of its owners, joined by dots. */
    private String fullName(int entry) {
        int tag = tag(entry);
        Cursor cursor = body(entry);
        if (tag == EXTERNAL || tag == EXTERNAL_MODULE) {
            String name = nameOf(cursor.reference());
            return cursor.at < cursor.end ? joined(cursor.reference(), name) : name;
        }
        if (tag < TYPE_SYMBOL || tag > VALUE_SYMBOL) {
            return "";
        }
        Symbol symbol = new Symbol(entry);
        return joined(symbol.owner, symbol.name);
    }

    private String joined(int owner, String name) {
        String before = fullName(owner);
        return before.isEmpty() || before.equals("<root>") || before.equals("<empty>") ? name : before + "." + name;
    }

    private boolean isSymbol(int entry) {
        return tag(entry) >= TYPE_SYMBOL && tag(entry) <= VALUE_SYMBOL;
    }

    /** Returns the parameter lists, joined, of every method of a name in a class, or in the object of that name. */
    List<List<Parameter>> methods(String className, boolean module, String method) {
        List<List<Parameter>> found = new ArrayList<>();
        String wanted = className.replace('$', '.');
        for (int entry = 0; entry < offsets.length; entry++) {
            if (tag(entry) != VALUE_SYMBOL) {
                continue;
            }
            Symbol symbol = new Symbol(entry);
            if (!symbol.name.equals(method) || !isSymbol(symbol.owner) || tag(symbol.owner) != CLASS_SYMBOL) {
                continue;
            }
            boolean ofModule = (new Symbol(symbol.owner).flags & MODULE_FLAG) != 0;
            if (ofModule == module && fullName(symbol.owner).equals(wanted)) {
                found.add(parameters(symbol.info));
            }
        }
        return found;
    }

    private List<Parameter> parameters(int info) {
        List<Parameter> all = new ArrayList<>();
        int type = info;
        while (tag(type) == POLY_TYPE || tag(type) == METHOD_TYPE) {
            Cursor cursor = body(type);
            boolean method = tag(type) == METHOD_TYPE;
            type = cursor.reference();
            while (method && cursor.at < cursor.end) {
                Symbol parameter = new Symbol(cursor.reference());
                all.add(new Parameter(parameter.name, type(parameter.info)));
            }
        }
        return all;
    }

    /** Returns a type, or null for a form that no parameter from JSON can have. */
    Type type(int entry) {
        int tag = tag(entry);
        Cursor cursor = body(entry);
        if (tag == ANNOTATED_TYPE || tag == EXISTENTIAL_TYPE) {
            return type(cursor.reference());
        }
        if (tag == POLY_TYPE && cursor.at < cursor.end) {
            int result = cursor.reference();
            return cursor.at < cursor.end ? null : type(result);
        }
        if (tag != TYPE_REFERENCE) {
            return null;
        }
        cursor.reference();
        int symbol = cursor.reference();
        List<Type> args = new ArrayList<>();
        while (cursor.at < cursor.end) {
            args.add(type(cursor.reference()));
        }
        if (tag(symbol) == ALIAS_SYMBOL && args.isEmpty()) {
            return type(new Symbol(symbol).info);
        }
        boolean variable = tag(symbol) == TYPE_SYMBOL;
        return new Type(variable ? new Symbol(symbol).name : fullName(symbol), args, variable);
    }
}
