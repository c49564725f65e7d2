// Types that are a text in JSON: enums, dates and times, identifiers, paths, bytes as base64.
package dev.enact.jvm.read;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URI;
import java.net.URL;
import java.nio.charset.Charset;
import java.nio.file.Paths;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.MonthDay;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.Period;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Currency;
import java.util.Date;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TimeZone;
import java.util.UUID;
import java.util.regex.Pattern;

import dev.enact.jvm.json.Brief;

/** Readers of what a text stands for. */
final class Texts {
    /** By their names: a component that has none of them does not load them. */
    private static final Set<String> NAMES = new HashSet<>(Arrays.asList(
            "java.time.Instant", "java.time.LocalDate", "java.time.LocalTime", "java.time.LocalDateTime",
            "java.time.OffsetDateTime", "java.time.OffsetTime", "java.time.ZonedDateTime", "java.time.Duration",
            "java.time.Period", "java.time.Year", "java.time.YearMonth", "java.time.MonthDay", "java.time.ZoneId",
            "java.time.ZoneOffset", "java.util.Date", "java.util.TimeZone", "java.util.UUID", "java.net.URI",
            "java.net.URL", "java.io.File", "java.nio.file.Path", "java.util.Locale", "java.util.Currency",
            "java.nio.charset.Charset", "java.util.regex.Pattern", "java.lang.StringBuilder", "[B", "[C"));

    private Texts() {
    }

    /** UUID.fromString takes much that is none, such as 1-1-1-1-1. */
    private static UUID uuid(String text) {
        UUID value = UUID.fromString(text);
        if (!value.toString().equalsIgnoreCase(text)) {
            throw new IllegalArgumentException("not 36 characters");
        }
        return value;
    }

    private static URL url(String text) {
        try {
            return new URL(text);
        } catch (MalformedURLException malformed) {
            throw new IllegalArgumentException(malformed.getMessage());
        }
    }

    /** Takes a language tag, such as de-DE and zh-Hant-TW, and what Java prints: de_DE and zh_TW_#Hant. */
    private static Locale locale(String text) {
        Locale.Builder builder = new Locale.Builder();
        if (text.indexOf('_') < 0) {
            return builder.setLanguageTag(text).build();
        }
        String[] parts = text.split("_", -1);
        int count = parts.length;
        if (parts[count - 1].startsWith("#")) {
            builder.setScript(parts[--count].substring(1));
        }
        if (count > 3) {
            throw new IllegalArgumentException("it has more parts than language, country and variant");
        }
        builder.setLanguage(parts[0]).setRegion(count > 1 ? parts[1] : "");
        return builder.setVariant(count > 2 ? parts[2] : "").build();
    }

    private static byte[] bytes(String text) {
        boolean url = text.indexOf('-') >= 0 || text.indexOf('_') >= 0;
        return (url ? Base64.getUrlDecoder() : Base64.getDecoder()).decode(text);
    }

    private static Object parsed(Class<?> type, String text) {
        switch (type.getName()) {
            case "java.time.Instant":
                return text.endsWith("Z") ? Instant.parse(text) : OffsetDateTime.parse(text).toInstant();
            case "java.time.LocalDate":
                return LocalDate.parse(text);
            case "java.time.LocalTime":
                return LocalTime.parse(text);
            case "java.time.LocalDateTime":
                return LocalDateTime.parse(text);
            case "java.time.OffsetDateTime":
                return OffsetDateTime.parse(text);
            case "java.time.OffsetTime":
                return OffsetTime.parse(text);
            case "java.time.ZonedDateTime":
                return ZonedDateTime.parse(text);
            case "java.time.Duration":
                return Duration.parse(text);
            case "java.time.Period":
                return Period.parse(text);
            case "java.time.Year":
                return Year.parse(text);
            case "java.time.YearMonth":
                return YearMonth.parse(text);
            case "java.time.MonthDay":
                return MonthDay.parse(text);
            case "java.time.ZoneId":
                return ZoneId.of(text);
            case "java.time.ZoneOffset":
                return ZoneOffset.of(text);
            case "java.util.Date":
                return Date.from(OffsetDateTime.parse(text).toInstant());
            case "java.util.TimeZone":
                return TimeZone.getTimeZone(ZoneId.of(text));
            case "java.util.UUID":
                return uuid(text);
            case "java.net.URI":
                return URI.create(text);
            case "java.net.URL":
                return url(text);
            case "java.io.File":
                return new File(text);
            case "java.nio.file.Path":
                return Paths.get(text);
            case "java.util.Locale":
                return locale(text);
            case "java.util.Currency":
                return Currency.getInstance(text);
            case "java.nio.charset.Charset":
                return Charset.forName(text);
            case "java.util.regex.Pattern":
                return Pattern.compile(text);
            case "java.lang.StringBuilder":
                return new StringBuilder(text);
            case "[B":
                return bytes(text);
            case "[C":
                return text.toCharArray();
            default:
                return constant(type, text);
        }
    }

    /** Returns the reader of a class, or null if it is none of these. */
    static Reader of(Class<?> type) {
        return type.isEnum() || NAMES.contains(type.getName()) ? new Text(type) : null;
    }

    private static final class Text extends Reader {
        private final Class<?> type;

        Text(Class<?> type) {
            this.type = type;
        }

        @Override
        public Object read(Object json) throws BadArgument {
            if (json == null) {
                return null;
            }
            if (!(json instanceof String)) {
                throw BadArgument.not(json, type);
            }
            try {
                return parsed(type, (String) json);
            } catch (RuntimeException refused) {
                String named = type.isEnum() ? Brief.message(refused) : "is not a " + type.getSimpleName() + ": " + Brief.message(refused);
                throw new BadArgument(json, type.getName(), named);
            }
        }
    }

    /** The constants are asked for at the first call: that initialises the class. */
    private static Object constant(Class<?> type, String text) {
        for (Object constant : type.getEnumConstants()) {
            if (((Enum<?>) constant).name().equals(text)) {
                return constant;
            }
        }
        List<String> names = new ArrayList<>();
        for (Object constant : type.getEnumConstants()) {
            names.add(((Enum<?>) constant).name());
        }
        throw new IllegalArgumentException("is none of " + names);
    }
}
