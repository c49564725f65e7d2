// Making the components of this JVM as `init` describes them; everything that is wrong with one is said at once.
package dev.enact.jvm;

import java.io.File;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.ZipFile;

import dev.enact.jvm.json.Brief;
import dev.enact.jvm.read.Readers;
import dev.enact.jvm.scala.ScalaLibrary;
import dev.enact.jvm.type.Memory;
import dev.enact.jvm.type.Unresolvable;
import dev.enact.jvm.write.Output;

/** From descriptors to operations. */
final class Components {
    /** Every operation by the key that calls name. */
    final Map<String, Operation> operations = new LinkedHashMap<>();
    /** Of several components those that could not be made, with the reasons; the others do not suffer from it. */
    final Map<String, String> refused = new LinkedHashMap<>();

    /** Longest text of one fault, in UTF-16 units. */
    private static final int FAULT_CHARS = 1024;

    private Components() {
    }

    static Components make(Map<?, ?> config, Memory memory) throws InitFailed {
        Components made = new Components();
        Object several = config.get("components");
        if (several instanceof Map) {
            for (Map.Entry<?, ?> component : ((Map<?, ?>) several).entrySet()) {
                Memory none = new Memory(null, false);
                try {
                    made.add(component.getKey() + "/", (Map<?, ?>) component.getValue(), true, none);
                } catch (InitFailed failed) {
                    made.refused.put(String.valueOf(component.getKey()), failed.getMessage());
                }
            }
        } else {
            made.add("", config, false, memory);
        }
        return made;
    }

    /** Returns why an operation by one of these keys is not there although its component was asked for, or null. */
    String refusal(String... keys) {
        for (String key : keys) {
            int end = key.indexOf('/');
            String why = end < 0 ? null : refused.get(key.substring(0, end));
            if (why != null) {
                return why;
            }
        }
        return null;
    }

    private void add(String prefix, Map<?, ?> said, boolean shared, Memory memory) throws InitFailed {
        Map<String, Operation> made = new LinkedHashMap<>();
        List<String> faults = new ArrayList<>();
        make(prefix, said, shared, memory, made, faults);
        if (!faults.isEmpty()) {
            unreadable(said, faults);
            throw new InitFailed(told(faults));
        }
        operations.putAll(made);
    }

    /** Says as many faults as a message holds, and how many more there are. */
    private static String told(List<String> faults) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < faults.size(); i++) {
            String fault = Brief.cut(faults.get(i), FAULT_CHARS);
            if (text.length() + fault.length() > Brief.MESSAGE_CHARS) {
                return text.append("\nand ").append(faults.size() - i).append(" more").toString();
            }
            text.append(i == 0 ? "" : "\n").append(fault);
        }
        return text.toString();
    }

    /** A jar that is no archive is passed over by class loaders; only what was not found in it would be told. */
    private static void unreadable(Map<?, ?> said, List<String> faults) {
        if (said.get("classpath") instanceof List) {
            for (Object path : (List<?>) said.get("classpath")) {
                unreadable(new File(path.toString()), faults);
            }
        }
    }

    private static void unreadable(File jar, List<String> faults) {
        if (jar.isFile()) {
            try (ZipFile archive = new ZipFile(jar)) {
                if (archive.getEntry("BOOT-INF/lib/") != null) {
                    faults.add(jar + " has other jars inside (BOOT-INF/lib); unpack them and name all in `paths`");
                }
            } catch (IOException broken) {
                faults.add(jar + " is no jar: " + broken.getMessage());
            }
        }
    }

    private static void make(String prefix, Map<?, ?> said, boolean shared, Memory memory, Map<String, Operation> made,
            List<String> faults) {
        List<File> jars = new ArrayList<>();
        for (Object path : said.get("classpath") instanceof List ? (List<?>) said.get("classpath") : new ArrayList<>()) {
            File jar = new File(path.toString());
            if (!jar.exists()) {
                faults.add("there is no " + jar);
            }
            jars.add(jar);
        }
        ClassLoader loader;
        try {
            loader = loader(jars, shared);
        } catch (MalformedURLException malformed) {
            faults.add(malformed.getMessage());
            return;
        }
        ScalaLibrary scala = new ScalaLibrary(loader, memory);
        Surroundings surroundings = new Surroundings(loader, memory, scala, new Readers(scala), new Output(scala), said.get("config"));
        Object operations = said.get("operations");
        if (!(operations instanceof Map)) {
            return;
        }
        Thread.currentThread().setContextClassLoader(loader);
        for (Map.Entry<?, ?> operation : ((Map<?, ?>) operations).entrySet()) {
            String key = prefix + operation.getKey();
            try {
                made.put(key, Resolution.resolve((Map<?, ?>) operation.getValue(), surroundings));
            } catch (Unresolvable broken) {
                faults.add(key + ": " + broken.getMessage());
            } catch (UnsupportedClassVersionError newer) {
                faults.add(key + ": " + JavaVersion.needed(newer));
            } catch (LinkageError | RuntimeException broken) {
                faults.add(key + ": " + Brief.line(broken));
            }
        }
    }

    /** A component alone whose jars are on the class path needs no loader of its own, and its archive of classes works. */
    private static ClassLoader loader(List<File> jars, boolean shared) throws MalformedURLException {
        Set<String> path = new HashSet<>(Arrays.asList(System.getProperty("java.class.path", "").split(File.pathSeparator)));
        boolean known = !shared;
        URL[] urls = new URL[jars.size()];
        for (int i = 0; i < urls.length; i++) {
            urls[i] = jars.get(i).toURI().toURL();
            known = known && path.contains(jars.get(i).getPath());
        }
        return known ? ClassLoader.getSystemClassLoader() : new ChildFirst(urls, ClassLoader.getSystemClassLoader());
    }
}
