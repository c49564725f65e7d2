// A component whose methods take one value of each type and answer with what they were really given.
package sample;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.Period;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.Arrays;
import java.util.Collection;
import java.util.Date;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.UUID;
import java.util.stream.Stream;

public final class Types {
    public static Object aBoolean(boolean value) { return seen(value); }
    public static Object aByte(byte value) { return seen(value); }
    public static Object aShort(short value) { return seen(value); }
    public static Object anInt(int value) { return seen(value); }
    public static Object aLong(long value) { return seen(value); }
    public static Object aFloat(float value) { return seen(value); }
    public static Object aDouble(double value) { return seen(value); }
    public static Object aChar(char value) { return seen(value); }
    public static Object boxedInt(Integer value) { return seen(value); }
    public static Object bigInteger(BigInteger value) { return seen(value); }
    public static Object bigDecimal(BigDecimal value) { return seen(value); }
    public static Object text(String value) { return seen(value); }
    public static Object number(Number value) { return seen(value); }
    public static Object anything(Object value) { return seen(value); }
    public static Object color(Color value) { return seen(value); }
    public static Object optional(Optional<Integer> value) { return seen(value); }
    public static Object optionalInt(OptionalInt value) { return seen(value); }
    public static Object optionalLong(OptionalLong value) { return seen(value); }
    public static Object ints(int[] value) { return seen(value); }
    public static Object grid(double[][] value) { return seen(value); }
    public static Object lists(List<int[]>[] value) { return seen(value); }
    public static Object bytes(byte[] value) { return seen(value); }
    public static Object list(List<Integer> value) { return seen(value); }
    public static Object raw(@SuppressWarnings("rawtypes") List value) { return seen(value); }
    public static Object nested(List<Map<String, List<Short>>> value) { return seen(value); }
    public static Object set(Set<Long> value) { return seen(value); }
    public static Object sorted(SortedSet<String> value) { return seen(value); }
    public static Object deque(Deque<Character> value) { return seen(value); }
    public static Object collection(Collection<? extends Number> value) { return seen(value); }
    public static Object iterator(Iterator<Byte> value) { return seen(value.next()); }
    public static Object stream(Stream<Integer> value) { return value.map(one -> one + 1); }
    public static Object map(Map<String, Integer> value) { return seen(value); }
    public static Object byColor(Map<Color, Integer> value) { return seen(value); }
    public static Object byNumber(SortedMap<Integer, String> value) { return seen(value); }
    public static Object byDate(Map<LocalDate, String> value) { return seen(value); }
    public static Object instant(Instant value) { return seen(value); }
    public static Object date(LocalDate value) { return seen(value); }
    public static Object time(LocalTime value) { return seen(value); }
    public static Object dateTime(LocalDateTime value) { return seen(value); }
    public static Object offset(OffsetDateTime value) { return seen(value); }
    public static Object zoned(ZonedDateTime value) { return seen(value); }
    public static Object duration(Duration value) { return seen(value); }
    public static Object period(Period value) { return seen(value); }
    public static Object month(YearMonth value) { return seen(value); }
    public static Object zone(ZoneId value) { return seen(value.getId()); }
    public static Object oldDate(Date value) { return seen(value); }
    public static Object offsetTime(OffsetTime value) { return seen(value); }
    public static Object locale(Locale value) { return seen(value); }
    public static Object byLocale(Map<Locale, Integer> value) { return seen(value); }
    public static Object byDecimal(SortedMap<BigDecimal, Integer> value) { return seen(value); }
    public static Object uuid(UUID value) { return seen(value); }
    public static Object uri(URI value) { return seen(value); }
    public static Object bean(Bean value) { return seen(value); }
    public static Object open(Open value) { return seen(value); }
    public static Object point(Point value) { return seen(value); }
    public static Object named(Named value) { return seen(value); }
    public static Object page(Page<Point> value) { return seen(value); }
    public static Object tree(Tree value) { return seen(value); }
    public static Object entry(Entry value) { return seen(value); }
    public static Object hinted(List<Object> value) { return seen(value); }
    public static Object shape(Shape value) { return seen(value); }
    public static Object varargs(String... value) { return seen(value); }
    public static <T extends Comparable<T>> Object generic(T value) { return seen(value); }
    public static int two(int first, String second) { return first + second.length(); }
    public static Object nothing() { return null; }
    public static void empty() { }

    public enum Color { RED, GREEN { }; @Override public String toString() { return "the colour " + ordinal(); } }

    public interface Shape { }

    public static final class Bean {
        private String name;
        private List<Point> points;
        private boolean active;
        private Bean inner;
        public String getName() { return name; }
        public void setName(String name) { this.name = name; }
        public List<Point> getPoints() { return points; }
        public void setPoints(List<Point> points) { this.points = points; }
        public boolean isActive() { return active; }
        public void setActive(boolean active) { this.active = active; }
        public Bean getInner() { return inner; }
        public void setInner(Bean inner) { this.inner = inner; }
        public Thread ignored() { return null; }
    }

    public static final class Open {
        public int number;
        public Integer maybe;
    }

    /** Its parameters have names because this is compiled with -parameters. */
    public static final class Point implements Shape {
        private final int x;
        private final int y;
        public Point(int x, int y) {
            if (x < 0) {
                throw new IllegalArgumentException("x is negative");
            }
            this.x = x;
            this.y = y;
        }
        public int getX() { return x; }
        public int getY() { return y; }
    }

    public static final class Named {
        private final String title;
        @java.beans.ConstructorProperties({"title"})
        public Named(String other) { title = other; }
        public Named(String one, String two) { title = one + two; }
        public String getTitle() { return title; }
    }

    public static final class Page<T> {
        private final List<T> items;
        private final Optional<String> next;
        public Page(List<T> items, Optional<String> next) {
            this.items = items;
            this.next = next;
        }
        public List<T> getItems() { return items; }
        public Optional<String> getNext() { return next; }
    }

    public static final class Tree {
        public String name;
        public List<Tree> leaves;
    }

    public record Entry(String key, List<Integer> values, Optional<Color> color) { }

    /** Says what a value is, with its elements: erased types would show themselves here. */
    static Object seen(Object value) {
        return Arrays.asList(described(value), value);
    }

    private static String described(Object value) {
        if (value == null) {
            return "null";
        }
        if (value instanceof Collection && !((Collection<?>) value).isEmpty()) {
            return value.getClass().getSimpleName() + "<" + described(((Collection<?>) value).iterator().next()) + ">";
        }
        if (value instanceof Map && !((Map<?, ?>) value).isEmpty()) {
            Map.Entry<?, ?> first = ((Map<?, ?>) value).entrySet().iterator().next();
            return value.getClass().getSimpleName() + "<" + described(first.getKey()) + ", " + described(first.getValue()) + ">";
        }
        return value instanceof Enum ? ((Enum<?>) value).getDeclaringClass().getSimpleName() : value.getClass().getSimpleName();
    }
}
