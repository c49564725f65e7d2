// What a class file's version means in versions of Java.
package dev.enact.jvm;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Says in plain words which Java a class needs. */
final class JavaVersion {
    /** Class files of Java 1 have version 45, and every version of Java adds one. */
    private static final int BEFORE_FIRST = 44;
    /** Far beyond every Java that there will be for long; a class file that says more is damaged. */
    private static final int JAVA_MAX = 100;
    private static final Pattern NUMBER = Pattern.compile("class file version (\\d+)");

    private JavaVersion() {
    }

    static String needed(UnsupportedClassVersionError newer) {
        String said = String.valueOf(newer.getMessage());
        Matcher number = NUMBER.matcher(said);
        if (!number.find()) {
            return said;
        }
        int needed = Integer.parseInt(number.group(1)) - BEFORE_FIRST;
        if (needed < 1 || needed > JAVA_MAX) {
            return "the class file is damaged: it says that it is of version " + number.group(1) + ", which no Java has (" + said + ")";
        }
        return "needs Java " + needed + ", and this is Java " + System.getProperty("java.specification.version") + " (" + said + ")";
    }
}
