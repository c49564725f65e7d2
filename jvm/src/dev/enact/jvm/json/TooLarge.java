// The exception for JSON that grew beyond its limit while it was written.
package dev.enact.jvm.json;

/** What is being written does not fit; raised before memory is taken for it. */
public final class TooLarge extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** The limit in bytes. */
    public final int limit;

    TooLarge(int limit) {
        super("more than " + limit + " bytes", null, false, false);
        this.limit = limit;
    }
}
