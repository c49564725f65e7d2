// The exception for a type that nothing can be made of; it is found when a component is loaded, not when it is called.
package dev.enact.jvm.type;

/** A type cannot be read from JSON, or a hint cannot be understood. */
public final class Unresolvable extends Exception {
    private static final long serialVersionUID = 1;

    public Unresolvable(String message) {
        super(message);
    }

    /** Says where inside of another type it was found. */
    public Unresolvable in(String where) {
        return new Unresolvable(where + ": " + getMessage());
    }
}
