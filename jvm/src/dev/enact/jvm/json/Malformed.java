// The exception for a text that is no JSON.
package dev.enact.jvm.json;

/** A text is no JSON, or beyond a limit. */
public final class Malformed extends Exception {
    private static final long serialVersionUID = 1;

    Malformed(String message) {
        super(message);
    }
}
