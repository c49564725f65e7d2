// The exception for components that cannot be made.
package dev.enact.jvm;

/** Why the JVM cannot take calls; the message is for people. */
final class InitFailed extends Exception {
    private static final long serialVersionUID = 1;

    InitFailed(String message) {
        super(message);
    }
}
