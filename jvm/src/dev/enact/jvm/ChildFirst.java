// The class loader of a component that shares its JVM: its own jars first, so that versions of libraries do not meet.
package dev.enact.jvm;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;

/** Looks into the component before it asks Java; Java's own names and enact's are never the component's. */
final class ChildFirst extends URLClassLoader {
    static {
        registerAsParallelCapable();
    }

    ChildFirst(URL[] jars, ClassLoader parent) {
        super(jars, parent);
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        synchronized (getClassLoadingLock(name)) {
            Class<?> loaded = findLoadedClass(name);
            if (loaded == null && !ofParent(name)) {
                try {
                    loaded = findClass(name);
                } catch (ClassNotFoundException notInside) {
                    loaded = null;
                }
            }
            if (loaded == null) {
                loaded = super.loadClass(name, false);
            }
            if (resolve) {
                resolveClass(loaded);
            }
            return loaded;
        }
    }

    /** `javax` is shared between Java and libraries: what Java does not have is found in the component by the parent's miss. */
    private static boolean ofParent(String name) {
        return name.startsWith("java.") || name.startsWith("javax.") || name.startsWith("dev.enact.jvm.");
    }

    @Override
    public URL getResource(String name) {
        URL own = findResource(name);
        return own == null ? super.getResource(name) : own;
    }

    @Override
    public Enumeration<URL> getResources(String name) throws IOException {
        List<URL> all = new ArrayList<>(Collections.list(findResources(name)));
        if (getParent() != null) {
            for (URL url : Collections.list(getParent().getResources(name))) {
                if (!all.contains(url)) {
                    all.add(url);
                }
            }
        }
        return Collections.enumeration(all);
    }
}
