// A security manager that permits everything but ending the process; Java has such a thing up to version 23.
package dev.enact.jvm;

import java.security.Permission;
import java.security.Policy;
import java.security.ProtectionDomain;

/** Keeps components from ending the process, and from taking this guard away. */
@SuppressWarnings({"deprecation", "removal"})
final class ExitGuard extends SecurityManager {
    private final Calls calls;

    private ExitGuard(Calls calls) {
        this.calls = calls;
    }

    static boolean install(Calls calls) {
        // Java would read its files of permissions to find out whether this guard may do everything.
        Policy.setPolicy(new Everything());
        System.setSecurityManager(new ExitGuard(calls));
        return System.getSecurityManager() instanceof ExitGuard;
    }

    /** Permits everything, as the guard does. */
    private static final class Everything extends Policy {
        @Override
        public boolean implies(ProtectionDomain domain, Permission asked) {
            return true;
        }
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

    /** Asked for every class that is loaded; what it finds out of Java's own would be permitted here. */
    @Override
    public void checkPackageAccess(String name) {
    }

    @Override
    public void checkPermission(Permission asked, Object context) {
        checkPermission(asked);
    }
}
