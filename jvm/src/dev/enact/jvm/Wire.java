// The frames: four bytes of length and a JSON object each, read and written on file descriptor 0.
package dev.enact.jvm;

import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.util.Map;

import dev.enact.jvm.json.JsonReader;
import dev.enact.jvm.json.JsonWriter;
import dev.enact.jvm.json.Malformed;
import dev.enact.jvm.json.MemberNames;

/** Both directions of the socket; many threads write, one reads. */
final class Wire {
    private final FileInputStream in = new FileInputStream(FileDescriptor.in);
    private final FileOutputStream out = new FileOutputStream(FileDescriptor.in);
    private final Object writing = new Object();
    /** What was read and not yet taken; Java reads no more than so many bytes without asking for memory each time. */
    private final byte[] buffer = new byte[8192];
    private int from;
    private int to;
    private final byte[] header = new byte[JsonWriter.HEADER];
    private final MemberNames names = new MemberNames();
    /** Largest frame, in bytes, as `init` says. */
    private volatile int limit = 16 * 1024 * 1024;

    void limit(int bytes) {
        limit = bytes;
    }

    int limit() {
        return limit;
    }

    /** Waits for a frame; null when the hub has closed its end. */
    Map<String, Object> read() throws IOException, Malformed {
        if (!fill(header, true)) {
            return null;
        }
        int length = (header[0] & 0xff) << 24 | (header[1] & 0xff) << 16 | (header[2] & 0xff) << 8 | header[3] & 0xff;
        if (length <= 0 || length > limit) {
            throw new IOException("a frame of " + (length & 0xffffffffL) + " bytes, the limit is " + limit);
        }
        if (length <= to - from) {
            from += length;
            return members(buffer, from - length, from);
        }
        byte[] body = room(length);
        fill(body, false);
        return members(body, 0, length);
    }

    private static byte[] room(int length) {
        for (int tried = 1;; tried++) {
            try {
                return new byte[length];
            } catch (OutOfMemoryError full) {
                Patience.again(tried, full);
            }
        }
    }

    private Map<String, Object> members(byte[] bytes, int from, int to) throws IOException, Malformed {
        for (int tried = 1;; tried++) {
            try {
                Object frame = JsonReader.read(bytes, from, to, Context.MEMBER, names);
                if (!(frame instanceof Map)) {
                    throw new IOException("a frame that is no object");
                }
                @SuppressWarnings("unchecked")
                Map<String, Object> members = (Map<String, Object>) frame;
                return members;
            } catch (OutOfMemoryError full) {
                Patience.again(tried, full);
            }
        }
    }

    private boolean fill(byte[] target, boolean mayEnd) throws IOException {
        int done = 0;
        while (done < target.length) {
            if (from == to && !more()) {
                if (mayEnd && done == 0) {
                    return false;
                }
                throw new EOFException("the wire ended in the middle of a frame");
            }
            int count = Math.min(to - from, target.length - done);
            System.arraycopy(buffer, from, target, done, count);
            from += count;
            done += count;
        }
        return true;
    }

    private boolean more() throws IOException {
        from = 0;
        to = Math.max(0, in.read(buffer));
        return to > 0;
    }

    /** Makes a writer for one frame. */
    JsonWriter frame(String type) {
        return new JsonWriter(limit).beginObject().name("type").string(type);
    }

    /** Ends the frame's object and sends it; a wire that is broken ends the process. */
    void send(JsonWriter frame) {
        frame.endObject();
        byte[] bytes = frame.frame();
        try {
            synchronized (writing) {
                out.write(bytes, 0, frame.length());
            }
        } catch (IOException gone) {
            Exit.broken(gone);
        }
    }
}
