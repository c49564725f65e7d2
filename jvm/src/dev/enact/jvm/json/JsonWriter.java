// Writing JSON text into a frame: one buffer with room for the header, which never grows beyond the limit.
package dev.enact.jvm.json;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.Map;

/** Writes JSON values behind four bytes for the length of the frame. */
public final class JsonWriter {
    /** Bytes of a frame's header. */
    public static final int HEADER = 4;
    private static final char[] HEX = "0123456789abcdef".toCharArray();

    private final int limit;
    private byte[] buffer;
    private int length = HEADER;
    /** Whether the next name or item needs a comma before it. */
    private boolean comma;

    /** Makes a writer for a body of at most so many bytes. */
    public JsonWriter(int limit) {
        this.limit = limit;
        this.buffer = new byte[Math.min(512, limit + HEADER)];
    }

    /** Writes the length into the header and returns the buffer; {@link #length()} bytes of it are the frame. */
    public byte[] frame() {
        int body = length - HEADER;
        buffer[0] = (byte) (body >>> 24);
        buffer[1] = (byte) (body >>> 16);
        buffer[2] = (byte) (body >>> 8);
        buffer[3] = (byte) body;
        return buffer;
    }

    /** Returns the bytes of header and body. */
    public int length() {
        return length;
    }

    public JsonWriter beginObject() {
        return begin('{');
    }

    public JsonWriter endObject() {
        return end('}');
    }

    public JsonWriter beginArray() {
        return begin('[');
    }

    public JsonWriter endArray() {
        return end(']');
    }

    private JsonWriter begin(char open) {
        separate();
        put(open);
        comma = false;
        return this;
    }

    private JsonWriter end(char close) {
        put(close);
        comma = true;
        return this;
    }

    /** Writes the name of a member; a value must follow. */
    public JsonWriter name(String name) {
        separate();
        quoted(name);
        put(':');
        comma = false;
        return this;
    }

    public JsonWriter nothing() {
        return ascii("null");
    }

    public JsonWriter bool(boolean value) {
        return ascii(value ? "true" : "false");
    }

    public JsonWriter number(long value) {
        return ascii(Long.toString(value));
    }

    public JsonWriter number(BigInteger value) {
        return ascii(value.toString());
    }

    public JsonWriter number(BigDecimal value) {
        return ascii(value.toString());
    }

    /** Writes a number that is neither NaN nor infinite, by the fewest digits that mean it. */
    public JsonWriter number(double value) {
        return ascii(Double.toString(value));
    }

    public JsonWriter number(float value) {
        return ascii(Float.toString(value));
    }

    public JsonWriter string(CharSequence value) {
        separate();
        quoted(value);
        comma = true;
        return this;
    }

    /** Writes what {@link JsonReader} returns. */
    public JsonWriter value(Object value) {
        if (value == null) {
            return nothing();
        }
        if (value instanceof Map) {
            beginObject();
            for (Map.Entry<?, ?> member : ((Map<?, ?>) value).entrySet()) {
                name(member.getKey().toString()).value(member.getValue());
            }
            return endObject();
        }
        if (value instanceof Iterable) {
            beginArray();
            for (Object item : (Iterable<?>) value) {
                value(item);
            }
            return endArray();
        }
        return value instanceof Number || value instanceof Boolean ? ascii(value.toString()) : string(value.toString());
    }

    @SuppressWarnings("deprecation")
    private JsonWriter ascii(String text) {
        separate();
        int count = text.length();
        room(count);
        // Takes the low byte of each character, which is all there is of it.
        text.getBytes(0, count, buffer, length);
        length += count;
        comma = true;
        return this;
    }

    private void separate() {
        if (comma) {
            put(',');
        }
    }

    private void put(char c) {
        room(1);
        buffer[length++] = (byte) c;
    }

    private void quoted(CharSequence text) {
        put('"');
        int count = text.length();
        room(count);
        for (int i = 0; i < count; i++) {
            char c = text.charAt(i);
            if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
                buffer[length++] = (byte) c;
                continue;
            }
            // This one, and the rest if it is plain.
            room(6 + count - i);
            if (c == '"' || c == '\\') {
                buffer[length++] = '\\';
                buffer[length++] = (byte) c;
            } else if (c < 0x20) {
                control(c);
            } else if (c < 0x800) {
                buffer[length++] = (byte) (0xc0 | c >> 6);
                buffer[length++] = (byte) (0x80 | c & 0x3f);
            } else if (!Character.isSurrogate(c)) {
                buffer[length++] = (byte) (0xe0 | c >> 12);
                buffer[length++] = (byte) (0x80 | c >> 6 & 0x3f);
                buffer[length++] = (byte) (0x80 | c & 0x3f);
            } else {
                char low = i + 1 < count ? text.charAt(i + 1) : 0;
                int code = Character.isSurrogatePair(c, low) ? Character.toCodePoint(c, low) : 0xfffd;
                if (code == 0xfffd) {
                    // Half a pair is no Unicode and cannot be said in UTF-8; this is the sign for that.
                    buffer[length++] = (byte) 0xef;
                    buffer[length++] = (byte) 0xbf;
                    buffer[length++] = (byte) 0xbd;
                } else {
                    i++;
                    buffer[length++] = (byte) (0xf0 | code >> 18);
                    buffer[length++] = (byte) (0x80 | code >> 12 & 0x3f);
                    buffer[length++] = (byte) (0x80 | code >> 6 & 0x3f);
                    buffer[length++] = (byte) (0x80 | code & 0x3f);
                }
            }
        }
        put('"');
    }

    private void control(char c) {
        buffer[length++] = '\\';
        switch (c) {
            case '\n':
                buffer[length++] = 'n';
                break;
            case '\r':
                buffer[length++] = 'r';
                break;
            case '\t':
                buffer[length++] = 't';
                break;
            default:
                buffer[length++] = 'u';
                buffer[length++] = '0';
                buffer[length++] = '0';
                buffer[length++] = (byte) HEX[c >> 4];
                buffer[length++] = (byte) HEX[c & 0xf];
        }
    }

    private void room(int bytes) {
        if (length + bytes <= buffer.length) {
            return;
        }
        int most = limit + HEADER;
        if (length + bytes > most) {
            throw new TooLarge(limit);
        }
        buffer = Arrays.copyOf(buffer, (int) Math.min(most, Math.max(length + bytes, (long) buffer.length * 2)));
    }
}
