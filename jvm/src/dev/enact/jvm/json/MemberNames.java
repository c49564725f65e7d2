// The names of members that came lately: every call names the same ones, and a text that is there already need not be made.
package dev.enact.jvm.json;

/** Short plain names by their bytes; each place holds the last one that belongs there. One thread at a time uses it. */
public final class MemberNames {
    private static final int PLACES = 128;
    /** Longer ones are made anew, so that nobody keeps much here. */
    private static final int LENGTH_MAX = 32;

    private final String[] places = new String[PLACES];

    /** Returns the name that stands in these bytes, each of which is a character. */
    @SuppressWarnings("deprecation")
    String of(byte[] bytes, int from, int to) {
        int length = to - from;
        if (length == 0 || length > LENGTH_MAX) {
            return new String(bytes, 0, from, length);
        }
        int place = (length * 31 + bytes[from] * 7 + bytes[from + length / 2] * 3 + bytes[to - 1]) & PLACES - 1;
        String known = places[place];
        if (known == null || known.length() != length || !isSame(known, bytes, from)) {
            // Takes each byte as a character.
            known = new String(bytes, 0, from, length);
            places[place] = known;
        }
        return known;
    }

    private static boolean isSame(String known, byte[] bytes, int from) {
        for (int i = 0; i < known.length(); i++) {
            if (known.charAt(i) != bytes[from + i]) {
                return false;
            }
        }
        return true;
    }
}
