// Values of no particular type: what a method gets that asks for an Object or for a map of anything.
package dev.enact.jvm.read;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads JSON as Java's own maps, lists, texts and numbers. */
public final class Plain extends Reader {
    @Override
    public Object read(Object json) {
        return of(json);
    }

    /** Small whole numbers are Integer, then Long and BigInteger; others Double if that loses nothing, or BigDecimal. */
    public static Object of(Object json) {
        if (json instanceof Map) {
            Map<String, Object> map = new LinkedHashMap<>();
            for (Map.Entry<?, ?> member : ((Map<?, ?>) json).entrySet()) {
                map.put((String) member.getKey(), of(member.getValue()));
            }
            return map;
        }
        if (json instanceof List) {
            List<Object> list = new ArrayList<>(((List<?>) json).size());
            for (Object item : (List<?>) json) {
                list.add(of(item));
            }
            return list;
        }
        if (json instanceof Long) {
            long value = (Long) json;
            return (int) value == value ? (Object) (int) value : json;
        }
        if (json instanceof BigDecimal) {
            double near = ((BigDecimal) json).doubleValue();
            boolean same = !Double.isInfinite(near) && new BigDecimal(Double.toString(near)).compareTo((BigDecimal) json) == 0;
            return same ? (Object) near : json;
        }
        return json;
    }
}
