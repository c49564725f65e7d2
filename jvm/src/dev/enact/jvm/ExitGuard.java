// A security manager that permits everything but ending the process; Java has such a thing up to version 23.
package dev.enact.jvm;

import java.security.Permission;

/** Keeps components from ending the process, and from taking this guard away. */
@SuppressWarnings({"deprecation", "removal"})
final class ExitGuard extends SecurityManager {
    private final Calls calls;

    private ExitGuard(Calls calls) {
        this.calls = calls;
    }

    static boolean install(Calls calls) {
        System.setSecurityManager(new ExitGuard(calls));
        return System.getSecurityManager() instanceof ExitGuard;
    }

    @Override
    public void checkExit(int status) {
        if (!Exit.isOurs()) {
            throw Exit.held(status, calls);
        }
    }

    @Override
    public void checkPermission(Permission asked) {
        if ("setSecurityManager".equals(asked.getName())) {
            throw new SecurityException("enact holds back exits with a security manager; it stays");
        }
    }

    @Override
    public void checkPermission(Permission asked, Object context) {
        checkPermission(asked);
    }
}
