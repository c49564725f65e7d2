// The threads of calls: one reads the wire, and the one that has read a call runs it after another has taken over reading.
package dev.enact.jvm;

import java.util.ArrayDeque;

/**
 * Threads that take turns at the wire. A call is not handed to another thread, which would have to wake up first; only
 * the wire is. When every thread has a call, the last one reads on and keeps what comes for who is done first.
 */
final class Crew {
    /** Finds the next call on the wire, however many other frames come before it. */
    interface Reading {
        /** Returns the call, or null when the hub is gone. */
        Call next() throws Exception;
    }

    private final Reading reading;
    private final ArrayDeque<Call> backlog = new ArrayDeque<>(1024);
    private int idle;
    private boolean led = true;

    Crew(Reading reading) {
        this.reading = reading;
    }

    /** Adds threads that wait for their turn; they are daemons, so that none keeps the process from its end. */
    void add(int count) {
        for (int i = 1; i <= count; i++) {
            Thread thread = new Thread(this::follow, "enact-call-" + i);
            thread.setDaemon(true);
            thread.start();
        }
    }

    /** Reads on the current thread until the hub is gone, and runs calls in between as every other thread does. */
    void lead() throws Exception {
        while (true) {
            Call call = handedOver();
            if (call == null) {
                return;
            }
            call.run();
            for (call = turn(); call != null; call = turn()) {
                call.run();
            }
        }
    }

    private void follow() {
        try {
            for (Call call = turn(); call != null; call = turn()) {
                call.run();
            }
            lead();
            Exit.halt(0);
        } catch (Throwable broken) {
            Exit.broken(broken);
        }
    }

    /** Reads until there is a call and somebody who reads on; null when the hub is gone. */
    private Call handedOver() throws Exception {
        while (true) {
            Call call = reading.next();
            if (call == null) {
                return null;
            }
            synchronized (this) {
                if (idle > 0) {
                    led = false;
                    notify();
                    return call;
                }
                backlog.add(call);
            }
        }
    }

    /** Waits for something to do: a call that was left over, or null for the turn at the wire. */
    private synchronized Call turn() {
        while (true) {
            Call left = backlog.poll();
            if (left != null) {
                return left;
            }
            if (!led) {
                led = true;
                return null;
            }
            idle++;
            try {
                wait();
            } catch (InterruptedException late) {
                // A cancel that came after its call had ended; there is nothing to stop.
                continue;
            } finally {
                idle--;
            }
        }
    }
}
