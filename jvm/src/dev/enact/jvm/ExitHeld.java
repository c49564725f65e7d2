// What is thrown in the place of an exit; an error, because components catch exceptions far more often.
package dev.enact.jvm;

/** A component asked the process to end, and it did not. */
final class ExitHeld extends Error {
    private static final long serialVersionUID = 1;

    final int status;

    ExitHeld(int status) {
        super("exit " + status + " was held back by enact");
        this.status = status;
    }
}
