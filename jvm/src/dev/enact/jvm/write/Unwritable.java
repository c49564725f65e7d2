// The exception for a result that JSON cannot hold.
package dev.enact.jvm.write;

/** A part of a result has no form in JSON. */
public final class Unwritable extends Exception {
    private static final long serialVersionUID = 1;
    private final String why;
    private String pointer;

    public Unwritable(String why, String pointer) {
        super(null, null, false, false);
        this.why = why;
        this.pointer = pointer;
    }

    /** Returns itself, seen from the array or object around it. */
    Unwritable under(Object step) {
        pointer = "/" + step.toString().replace("~", "~0").replace("/", "~1") + pointer;
        return this;
    }

    public String pointer() {
        return pointer;
    }

    @Override
    public String getMessage() {
        return pointer.isEmpty() ? why : why + ", at " + pointer;
    }
}
