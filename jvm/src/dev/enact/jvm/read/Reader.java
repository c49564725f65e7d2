// What turns one JSON value into one Java value; made once for a type, used for every call.
package dev.enact.jvm.read;

/** Reads values of one type. */
public abstract class Reader {
    /** Turns what the JSON reader returned into a value of the type. */
    public abstract Object read(Object json) throws BadArgument;

    /** Returns whether a member of this type may be left out. */
    public boolean optional() {
        return false;
    }
}
