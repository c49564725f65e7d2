// Numbers, booleans, characters and texts, with the range of each type kept.
package dev.enact.jvm.read;

import java.math.BigDecimal;
import java.math.BigInteger;

import dev.enact.jvm.type.JavaTypes;

/** Readers of the values that have no parts. */
final class Scalars {
    /** Beyond it `1e999999999` would become a number of a gigabyte. */
    private static final int EXPONENT_MAX = 10_000;

    private Scalars() {
    }

    /** What stands for the values of a class that is none of these. */
    private static final Object UNKNOWN = new Object();

    /** Returns the value, or null if the JSON does not suit. */
    private static Object converted(Class<?> type, Object json) {
        if (type == String.class || type == CharSequence.class) {
            return json instanceof String ? json : null;
        }
        if (type == Integer.class) {
            return within(json, Integer.MIN_VALUE, Integer.MAX_VALUE) ? (Object) whole(json).intValue() : null;
        }
        if (type == Long.class) {
            return within(json, Long.MIN_VALUE, Long.MAX_VALUE) ? (Object) whole(json).longValue() : null;
        }
        if (type == Boolean.class) {
            return json instanceof Boolean ? json : null;
        }
        if (type == Double.class) {
            double value = json instanceof Number ? ((Number) json).doubleValue() : Double.NaN;
            return Double.isNaN(value) || Double.isInfinite(value) ? null : (Object) value;
        }
        if (type == Float.class) {
            float value = json instanceof Number ? ((Number) json).floatValue() : Float.NaN;
            return Float.isNaN(value) || Float.isInfinite(value) ? null : (Object) value;
        }
        if (type == BigDecimal.class) {
            return decimal(json);
        }
        if (type == BigInteger.class) {
            return whole(json);
        }
        if (type == Short.class) {
            return within(json, Short.MIN_VALUE, Short.MAX_VALUE) ? (Object) whole(json).shortValue() : null;
        }
        if (type == Byte.class) {
            return within(json, Byte.MIN_VALUE, Byte.MAX_VALUE) ? (Object) whole(json).byteValue() : null;
        }
        if (type == Number.class) {
            return json instanceof Number ? Plain.of(json) : null;
        }
        if (type == Character.class) {
            return json instanceof String && ((String) json).length() == 1 ? (Object) ((String) json).charAt(0) : null;
        }
        return type == Void.class ? null : UNKNOWN;
    }

    /** Returns the reader of a class, or null if it is none of these. */
    static Reader of(Class<?> type) {
        Class<?> boxed = JavaTypes.boxed(type);
        if (converted(boxed, null) == UNKNOWN) {
            return null;
        }
        boolean number = Number.class.isAssignableFrom(boxed);
        return new Reader() {
            @Override
            public Object read(Object json) throws BadArgument {
                if (json == null && !type.isPrimitive()) {
                    return null;
                }
                Object value = converted(boxed, json);
                if (value == null) {
                    boolean range = number && json instanceof Number;
                    throw range ? new BadArgument(json, type.getName(), "does not fit " + type.getSimpleName())
                            : BadArgument.not(json, type);
                }
                return value;
            }

            @Override
            public boolean optional() {
                return type == Void.class;
            }
        };
    }

    /** Returns the whole number that a JSON number is, such as 1 for 1.0 and 1e0, or null. */
    static BigInteger whole(Object json) {
        if (json instanceof Long) {
            return BigInteger.valueOf((Long) json);
        }
        if (json instanceof BigInteger) {
            return (BigInteger) json;
        }
        BigDecimal value = decimal(json);
        if (value == null) {
            return null;
        }
        boolean far = Math.abs((long) value.scale()) > EXPONENT_MAX;
        try {
            return far && value.signum() != 0 ? null : value.signum() == 0 ? BigInteger.ZERO : value.toBigIntegerExact();
        } catch (ArithmeticException fraction) {
            return null;
        }
    }

    static BigDecimal decimal(Object json) {
        if (json instanceof Long) {
            return BigDecimal.valueOf((Long) json);
        }
        if (json instanceof BigInteger) {
            return new BigDecimal((BigInteger) json);
        }
        if (json instanceof Double) {
            // The reader of JSON returns one for -0.0 alone, which no other number of Java can hold.
            return new BigDecimal("0.0");
        }
        return json instanceof BigDecimal ? (BigDecimal) json : null;
    }

    private static boolean within(Object json, long least, long most) {
        if (json instanceof Long) {
            long value = (Long) json;
            return value >= least && value <= most;
        }
        BigInteger value = whole(json);
        return value != null && value.bitLength() < 64 && value.longValue() >= least && value.longValue() <= most;
    }
}
