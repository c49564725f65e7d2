// Numbers, booleans, characters and texts, with the range of each type kept.
package dev.enact.jvm.read;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.HashMap;
import java.util.Map;

import dev.enact.jvm.type.JavaTypes;

/** Readers of the values that have no parts. */
final class Scalars {
    /** Beyond it `1e999999999` would become a number of a gigabyte. */
    private static final int EXPONENT_MAX = 10_000;

    private Scalars() {
    }

    private interface Conversion {
        /** Returns the value, or null if the JSON does not suit. */
        Object of(Object json);
    }

    private static final Map<Class<?>, Conversion> CONVERSIONS = new HashMap<>();

    static {
        CONVERSIONS.put(Boolean.class, json -> json instanceof Boolean ? json : null);
        CONVERSIONS.put(Byte.class, json -> within(json, Byte.MIN_VALUE, Byte.MAX_VALUE) ? (Object) whole(json).byteValue() : null);
        CONVERSIONS.put(Short.class,
                json -> within(json, Short.MIN_VALUE, Short.MAX_VALUE) ? (Object) whole(json).shortValue() : null);
        CONVERSIONS.put(Integer.class,
                json -> within(json, Integer.MIN_VALUE, Integer.MAX_VALUE) ? (Object) whole(json).intValue() : null);
        CONVERSIONS.put(Long.class, json -> within(json, Long.MIN_VALUE, Long.MAX_VALUE) ? (Object) whole(json).longValue() : null);
        CONVERSIONS.put(BigInteger.class, Scalars::whole);
        CONVERSIONS.put(BigDecimal.class, Scalars::decimal);
        CONVERSIONS.put(Double.class, json -> {
            double value = json instanceof Number ? ((Number) json).doubleValue() : Double.NaN;
            return Double.isNaN(value) || Double.isInfinite(value) ? null : (Object) value;
        });
        CONVERSIONS.put(Float.class, json -> {
            float value = json instanceof Number ? ((Number) json).floatValue() : Float.NaN;
            return Float.isNaN(value) || Float.isInfinite(value) ? null : (Object) value;
        });
        CONVERSIONS.put(Number.class, json -> json instanceof Number ? Plain.of(json) : null);
        CONVERSIONS.put(Character.class,
                json -> json instanceof String && ((String) json).length() == 1 ? (Object) ((String) json).charAt(0) : null);
        CONVERSIONS.put(String.class, json -> json instanceof String ? json : null);
        CONVERSIONS.put(CharSequence.class, json -> json instanceof String ? json : null);
        CONVERSIONS.put(Void.class, json -> null);
    }

    /** Returns the reader of a class, or null if it is none of these. */
    static Reader of(Class<?> type) {
        Conversion conversion = CONVERSIONS.get(JavaTypes.boxed(type));
        if (conversion == null) {
            return null;
        }
        boolean number = Number.class.isAssignableFrom(JavaTypes.boxed(type));
        return new Reader() {
            @Override
            public Object read(Object json) throws BadArgument {
                if (json == null && !type.isPrimitive()) {
                    return null;
                }
                Object value = conversion.of(json);
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
        if (!(json instanceof BigDecimal)) {
            return null;
        }
        BigDecimal value = (BigDecimal) json;
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
