// Values that JSON holds as a text, and keys of maps as names.
package dev.enact.jvm.write;

import java.io.File;
import java.net.URI;
import java.net.URL;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.temporal.TemporalAccessor;
import java.time.temporal.TemporalAmount;
import java.util.Base64;
import java.util.Calendar;
import java.util.Currency;
import java.util.Date;
import java.util.Locale;
import java.util.TimeZone;
import java.util.UUID;
import java.util.regex.Pattern;

import dev.enact.jvm.scala.ScalaLibrary;

/** The text of a value, where it has one that reads back to the same. */
final class Names {
    private Names() {
    }

    /** Returns the text that stands for a value, or null if it has none. */
    static String text(Object value) {
        if (value instanceof Enum) {
            return ((Enum<?>) value).name();
        }
        if (value instanceof byte[]) {
            return Base64.getEncoder().encodeToString((byte[]) value);
        }
        if (value instanceof char[]) {
            return new String((char[]) value);
        }
        boolean itsOwn = value instanceof CharSequence || value instanceof Character || value instanceof UUID
                || value instanceof URI || value instanceof URL || value instanceof File || value instanceof Path
                || value instanceof Pattern || value instanceof Charset || value instanceof ZoneId || value instanceof Currency;
        boolean time = (value instanceof TemporalAccessor || value instanceof TemporalAmount)
                && value.getClass().getName().startsWith("java.time.");
        if (itsOwn || time) {
            return time ? withSeconds(value) : value.toString();
        }
        if (value instanceof Date) {
            // The dates of java.sql refuse to be an instant.
            return Instant.ofEpochMilli(((Date) value).getTime()).toString();
        }
        if (value instanceof Calendar) {
            return ((Calendar) value).toInstant().toString();
        }
        if (value instanceof Locale) {
            return ((Locale) value).toLanguageTag();
        }
        if (value instanceof TimeZone) {
            return ((TimeZone) value).getID();
        }
        return value instanceof Class ? ((Class<?>) value).getName() : null;
    }

    /** Java leaves out seconds that are nought; whoever reads a time by RFC 3339 wants them. */
    private static String withSeconds(Object time) {
        String text = time.toString();
        boolean ofDay = time instanceof LocalTime || time instanceof LocalDateTime || time instanceof OffsetTime
                || time instanceof OffsetDateTime || time instanceof ZonedDateTime;
        int minutes = ofDay ? text.indexOf(':') + 3 : text.length();
        boolean without = ofDay && (minutes == text.length() || text.charAt(minutes) != ':');
        return without ? text.substring(0, minutes) + ":00" + text.substring(minutes) : text;
    }

    /** Returns the name that stands for a key, or null if it cannot be one. */
    static String name(Object key, ScalaLibrary scala) throws Throwable {
        if (key instanceof String) {
            return (String) key;
        }
        if (key instanceof Number || key instanceof Boolean) {
            return key.toString();
        }
        return key == null ? null : scala.isName(key) ? scala.name(key) : text(key);
    }
}
