// Reading JSON text: objects become maps in their order, numbers keep every digit, depth and lengths are limited.
package dev.enact.jvm.json;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads one JSON value from UTF-8: Map, List, String, Long, BigInteger, BigDecimal, Boolean, null, or Double for -0.0. */
public final class JsonReader {
    /** Nested arrays and objects; a frame nests the argument, which the hub has judged already. */
    private static final int DEPTH_MAX = 256;
    /** Longer numbers would cost quadratic time. */
    private static final int DIGITS_MAX = 10_000;
    private static final char[] NO_TEXT = new char[0];

    private final byte[] bytes;
    private final int end;
    private int at;
    private int depth;
    /** Room for a text that does not stand in the bytes as it is. */
    private char[] text = NO_TEXT;
    /** The member of the outermost object that is not read but kept as its bytes, or null. */
    private final String unread;
    /** The names of members that came lately, or null. */
    private final MemberNames names;

    private JsonReader(byte[] bytes, int from, int to, String unread, MemberNames names) {
        this.bytes = bytes;
        this.at = from;
        this.end = to;
        this.unread = unread;
        this.names = names;
    }

    /** Reads the value that fills the bytes. */
    public static Object read(byte[] bytes) throws Malformed {
        return read(bytes, 0, bytes.length, null, null);
    }

    /**
     * Reads the value that fills the bytes from one place up to another. If it is an object, its member `unread` is kept as
     * a copy of its bytes: what few ask for is read when somebody does. Whoever reads much of the same kind keeps `names`.
     */
    public static Object read(byte[] bytes, int from, int to, String unread, MemberNames names) throws Malformed {
        JsonReader reader = new JsonReader(bytes, from, to, unread, names);
        Object value = reader.value();
        if (reader.peek() >= 0) {
            throw reader.malformed("something follows the value");
        }
        return value;
    }

    private Malformed malformed(String why) {
        return new Malformed("no JSON at byte " + at + ": " + why);
    }

    /** Returns the next byte that is no white space without taking it, or -1 at the end. */
    private int peek() {
        while (at < end) {
            byte next = bytes[at];
            if (next != ' ' && next != '\n' && next != '\r' && next != '\t') {
                return next & 0xff;
            }
            at++;
        }
        return -1;
    }

    private Object value() throws Malformed {
        int next = peek();
        switch (next) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                if (next == '-' || next >= '0' && next <= '9') {
                    return number();
                }
                throw malformed("a value was expected");
        }
    }

    private Object word(String word, Object value) throws Malformed {
        for (int i = 0; i < word.length(); i++) {
            if (at + i >= end || bytes[at + i] != word.charAt(i)) {
                throw malformed("a value was expected");
            }
        }
        at += word.length();
        return value;
    }

    private void deeper() throws Malformed {
        at++;
        if (++depth > DEPTH_MAX) {
            throw malformed("deeper than " + DEPTH_MAX + " levels");
        }
    }

    private Map<String, Object> object() throws Malformed {
        deeper();
        Map<String, Object> members = new LinkedHashMap<>();
        if (peek() == '}') {
            at++;
            depth--;
            return members;
        }
        while (true) {
            if (peek() != '"') {
                throw malformed("a name was expected");
            }
            String name = name();
            if (peek() != ':') {
                throw malformed("a colon was expected");
            }
            at++;
            members.put(name, depth == 1 && name.equals(unread) ? skipped() : value());
            if (ends('}')) {
                return members;
            }
        }
    }

    /** Goes past a value and returns its bytes; whether they are JSON shows when they are read. */
    private byte[] skipped() throws Malformed {
        peek();
        int from = at;
        int to = from;
        for (int open = 0; to < end; to++) {
            byte next = bytes[to];
            if (next == '"') {
                to = closingQuote(to);
            } else if (next == '{' || next == '[') {
                open++;
            } else if (next == '}' || next == ']') {
                if (open-- == 0) {
                    break;
                }
            } else if (next == ',' && open == 0) {
                break;
            }
        }
        if (to == from) {
            throw malformed("a value was expected");
        }
        at = to;
        return Arrays.copyOfRange(bytes, from, to);
    }

    /** Returns where a text ends that begins with the quote at a place. */
    private int closingQuote(int from) throws Malformed {
        for (int i = from + 1; i < end; i++) {
            byte next = bytes[i];
            if (next == '"') {
                return i;
            }
            if (next == '\\') {
                i++;
            }
        }
        at = end;
        throw malformed("a text does not end");
    }

    private List<Object> array() throws Malformed {
        deeper();
        List<Object> items = new ArrayList<>();
        if (peek() == ']') {
            at++;
            depth--;
            return items;
        }
        while (true) {
            items.add(value());
            if (ends(']')) {
                return items;
            }
        }
    }

    private boolean ends(char end) throws Malformed {
        int next = peek();
        if (next != ',' && next != end) {
            throw malformed("a comma or " + end + " was expected");
        }
        at++;
        if (next == end) {
            depth--;
            return true;
        }
        return false;
    }

    private Object number() throws Malformed {
        int from = at;
        int point = -1;
        boolean power = false;
        if (bytes[at] == '-') {
            at++;
        }
        int first = at;
        digits();
        if (bytes[first] == '0' && at - first > 1) {
            throw malformed("a number begins with 0");
        }
        if (at < end && bytes[at] == '.') {
            point = at++;
            digits();
        }
        if (at < end && (bytes[at] == 'e' || bytes[at] == 'E')) {
            power = true;
            at++;
            if (at < end && (bytes[at] == '+' || bytes[at] == '-')) {
                at++;
            }
            digits();
        }
        if (at - from > DIGITS_MAX) {
            throw malformed("a number has more than " + DIGITS_MAX + " digits");
        }
        boolean whole = point < 0 && !power;
        if (!power && at - from <= 18) {
            long value = small(from);
            return whole ? (Object) value : decimal(from, BigDecimal.valueOf(value, at - point - 1));
        }
        String digits = ascii(from, at);
        try {
            if (!whole) {
                return decimal(from, new BigDecimal(digits));
            }
            BigInteger big = new BigInteger(digits);
            return big.bitLength() < 64 ? (Object) big.longValue() : big;
        } catch (NumberFormatException beyond) {
            throw malformed("a number is beyond every range");
        }
    }

    private Object decimal(int from, BigDecimal value) {
        return bytes[from] == '-' && value.signum() == 0 ? (Object) (-0.0) : value;
    }

    private void digits() throws Malformed {
        int from = at;
        while (at < end && bytes[at] >= '0' && bytes[at] <= '9') {
            at++;
        }
        if (at == from) {
            throw malformed("a digit was expected");
        }
    }

    /** Returns the digits of a number, so few that nothing can overflow, without its point. */
    private long small(int from) {
        boolean negative = bytes[from] == '-';
        long value = 0;
        for (int i = negative ? from + 1 : from; i < at; i++) {
            if (bytes[i] != '.') {
                value = value * 10 + (bytes[i] - '0');
            }
        }
        return negative ? -value : value;
    }

    private String ascii(int from, int to) {
        return new String(bytes, from, to - from, StandardCharsets.ISO_8859_1);
    }

    private String string() throws Malformed {
        int from = at + 1;
        return plain() ? ascii(from, at - 1) : decoded(from);
    }

    private String name() throws Malformed {
        int from = at + 1;
        if (!plain()) {
            return decoded(from);
        }
        return names == null ? ascii(from, at - 1) : names.of(bytes, from, at - 1);
    }

    /** Goes past the text that begins here, and returns true, or up to the first byte of it that is no character by itself. */
    private boolean plain() throws Malformed {
        int to = at + 1;
        // A byte of a longer character is negative.
        while (to < end && bytes[to] >= 0x20 && bytes[to] != '"' && bytes[to] != '\\') {
            to++;
        }
        at = to;
        if (to == end) {
            throw malformed("a text does not end");
        }
        boolean plain = bytes[to] == '"';
        at += plain ? 1 : 0;
        return plain;
    }

    /** Reads the rest of a text that began at a place and is not plain from where it is now. */
    private String decoded(int from) throws Malformed {
        int length = at - from;
        if (length + 2 > text.length) {
            text = new char[Math.max(64, length * 2)];
        }
        for (int i = 0; i < length; i++) {
            text[i] = (char) bytes[from + i];
        }
        while (true) {
            if (at >= end) {
                throw malformed("a text does not end");
            }
            int next = bytes[at++] & 0xff;
            if (next == '"') {
                return new String(text, 0, length);
            }
            if (length + 2 > text.length) {
                text = Arrays.copyOf(text, text.length * 2);
            }
            if (next == '\\') {
                text[length++] = escape();
            } else if (next < 0x20) {
                throw malformed("a control character in a text");
            } else if (next < 0x80) {
                text[length++] = (char) next;
            } else {
                length = multibyte(next, length);
            }
        }
    }

    private char escape() throws Malformed {
        int next = at < end ? bytes[at++] : -1;
        switch (next) {
            case '"':
            case '\\':
            case '/':
                return (char) next;
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                return hex();
            default:
                throw malformed("an escape that does not exist");
        }
    }

    private char hex() throws Malformed {
        int value = 0;
        for (int i = 0; i < 4; i++) {
            int digit = at < end ? Character.digit(bytes[at++], 16) : -1;
            if (digit < 0) {
                throw malformed("four hexadecimal digits were expected");
            }
            value = value << 4 | digit;
        }
        return (char) value;
    }

    private int multibyte(int first, int length) throws Malformed {
        int more = first >= 0xf0 && first < 0xf5 ? 3 : first >= 0xe0 ? 2 : first >= 0xc2 ? 1 : 0;
        if (more == 0 || first >= 0xf5 || at + more > end) {
            throw malformed("a text is no UTF-8");
        }
        int code = first & (0x3f >> more);
        for (int i = 0; i < more; i++) {
            int next = bytes[at++];
            if ((next & 0xc0) != 0x80) {
                throw malformed("a text is no UTF-8");
            }
            code = code << 6 | next & 0x3f;
        }
        if (code < 0x10000) {
            text[length] = (char) code;
            return length + 1;
        }
        text[length] = Character.highSurrogate(code);
        text[length + 1] = Character.lowSurrogate(code);
        return length + 2;
    }
}
