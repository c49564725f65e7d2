// Types that are a text in JSON: enums, dates and times, identifiers, paths, bytes as base64.
package dev.enact.jvm.read;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URI;
import java.net.URL;
import java.nio.charset.Charset;
import java.nio.file.Path;
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
import java.util.Arrays;
import java.util.Base64;
import java.util.Currency;
import java.util.Date;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.UUID;
import java.util.function.Function;
import java.util.regex.Pattern;

/** Readers of what a text stands for. */
final class Texts {
    private static final Map<Class<?>, Function<String, Object>> PARSERS = new HashMap<>();

    static {
        PARSERS.put(Instant.class, text -> text.endsWith("Z") ? Instant.parse(text) : OffsetDateTime.parse(text).toInstant());
        PARSERS.put(LocalDate.class, LocalDate::parse);
        PARSERS.put(LocalTime.class, LocalTime::parse);
        PARSERS.put(LocalDateTime.class, LocalDateTime::parse);
        PARSERS.put(OffsetDateTime.class, OffsetDateTime::parse);
        PARSERS.put(OffsetTime.class, OffsetTime::parse);
        PARSERS.put(ZonedDateTime.class, ZonedDateTime::parse);
        PARSERS.put(Duration.class, Duration::parse);
        PARSERS.put(Period.class, Period::parse);
        PARSERS.put(Year.class, Year::parse);
        PARSERS.put(YearMonth.class, YearMonth::parse);
        PARSERS.put(MonthDay.class, MonthDay::parse);
        PARSERS.put(ZoneId.class, ZoneId::of);
        PARSERS.put(ZoneOffset.class, ZoneOffset::of);
        PARSERS.put(Date.class, text -> Date.from(OffsetDateTime.parse(text).toInstant()));
        PARSERS.put(TimeZone.class, text -> TimeZone.getTimeZone(ZoneId.of(text)));
        PARSERS.put(UUID.class, Texts::uuid);
        PARSERS.put(URI.class, URI::create);
        PARSERS.put(URL.class, Texts::url);
        PARSERS.put(File.class, File::new);
        PARSERS.put(Path.class, text -> Paths.get(text));
        PARSERS.put(Locale.class, Locale::forLanguageTag);
        PARSERS.put(Currency.class, Currency::getInstance);
        PARSERS.put(Charset.class, Charset::forName);
        PARSERS.put(Pattern.class, Pattern::compile);
        PARSERS.put(StringBuilder.class, StringBuilder::new);
        PARSERS.put(byte[].class, Texts::bytes);
        PARSERS.put(char[].class, String::toCharArray);
    }

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

    private static byte[] bytes(String text) {
        boolean url = text.indexOf('-') >= 0 || text.indexOf('_') >= 0;
        return (url ? Base64.getUrlDecoder() : Base64.getDecoder()).decode(text);
    }

    /** Returns the reader of a class, or null if it is none of these. */
    static Reader of(Class<?> type) {
        Function<String, Object> parser = type.isEnum() ? constants(type) : PARSERS.get(type);
        if (parser == null) {
            return null;
        }
        return new Reader() {
            @Override
            public Object read(Object json) throws BadArgument {
                if (json == null) {
                    return null;
                }
                if (!(json instanceof String)) {
                    throw BadArgument.not(json, type);
                }
                try {
                    return parser.apply((String) json);
                } catch (RuntimeException refused) {
                    String named = type.isEnum() ? refused.getMessage() : "is not a " + type.getSimpleName() + ": " + refused.getMessage();
                    throw new BadArgument(json, type.getName(), named);
                }
            }
        };
    }

    /** The constants are asked for at the first call: that initialises the class. */
    private static Function<String, Object> constants(Class<?> type) {
        return text -> {
            for (Object constant : type.getEnumConstants()) {
                if (((Enum<?>) constant).name().equals(text)) {
                    return constant;
                }
            }
            throw new IllegalArgumentException("is none of " + Arrays.toString(type.getEnumConstants()));
        };
    }
}
