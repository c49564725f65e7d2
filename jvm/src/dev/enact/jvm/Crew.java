// The threads of calls: one reads the wire, and runs a call itself if it is known to be quick; otherwise another takes over.
package dev.enact.jvm;

import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads that take turns at the wire. A call is not handed to another thread, which would have to wake up first; only
 * the wire is, and not even that before a call whose operation was quick lately: then nobody wakes up at all.
 * Should it not be quick this time, a watch gives the wire to another thread a moment later. When every thread has a call,
 * the last one only reads and keeps what comes for who is done first.
 */
final class Crew {
    /** How often the watch looks at the thread that reads, as long as there are calls. */
    private static final int LOOK_EVERY_MS = 2;

    /** Finds the next call on the wire, however many other frames come before it. */
    interface Reading {
        /** Returns the call, or null when the hub is gone. */
        Call next() throws Exception;
    }

    private final Reading reading;
    private final Rest rest;
    private final ArrayDeque<Call> backlog = new ArrayDeque<>(1024);
    /** The number of the call that the reading thread runs by itself; negative when it is over or another one reads now. */
    private final AtomicLong own = new AtomicLong();
    private Thread watch;
    private volatile boolean watchSleeps;
    private int idle;
    private int threads;
    private int most;
    private boolean led = true;

    Crew(Reading reading, Rest rest) {
        this.reading = reading;
        this.rest = rest;
    }

    /** Allows so many threads beside the first; they are started when they are needed, and the next one is always there. */
    synchronized void allow(int count) {
        most = count;
        watch = daemon("enact-watch", new Watch());
        watch.start();
        another();
    }

    private static Thread daemon(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        // None keeps the process from its end.
        thread.setDaemon(true);
        return thread;
    }

    /** Starts another thread; until it comes for its turn it is one of those that wait. */
    private void another() {
        try {
            daemon("enact-call-" + (threads + 1), new Follower()).start();
            threads++;
            idle++;
        } catch (OutOfMemoryError noMore) {
            // The system gives no more threads; those that are there must do.
            most = threads;
        }
    }

    /** Reads on the current thread until the hub is gone, and runs calls in between as every other thread does. */
    void lead() throws Exception {
        while (true) {
            Call call = reading.next();
            if (call == null) {
                return;
            }
            boolean leads = call.isQuick() ? ranHere(call) : !handedOver(call);
            if (!leads) {
                for (call = turn(); call != null; call = turn()) {
                    call.run();
                }
            }
        }
    }

    /** Runs a call before the next frame is read; returns whether this thread still reads. */
    private boolean ranHere(Call call) {
        synchronized (this) {
            if (!hasNext()) {
                backlog.add(call);
                return true;
            }
        }
        long number = Math.abs(own.get()) + 1;
        own.set(number);
        if (watchSleeps) {
            LockSupport.unpark(watch);
        }
        call.run();
        return own.compareAndSet(number, -number);
    }

    /** Lets another thread read and runs the call; returns false if there is none, and the call waits for who is done. */
    private boolean handedOver(Call call) {
        synchronized (this) {
            if (!hasNext()) {
                backlog.add(call);
                return false;
            }
            next();
        }
        call.run();
        return true;
    }

    private boolean hasNext() {
        if (idle == 0 && threads < most) {
            another();
        }
        return idle > 0;
    }

    private void next() {
        led = false;
        notify();
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

    private final class Follower implements Runnable {
        @Override
        public void run() {
            synchronized (Crew.this) {
                idle--;
            }
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
    }

    /** Takes the wire from a thread whose own call is not over at the second look. Without calls it sleeps, and sees to the rest. */
    private final class Watch implements Runnable {
        @Override
        public void run() {
            long seen = own.get();
            while (true) {
                Patience.sleep(LOOK_EVERY_MS);
                long now = own.get();
                if (now != seen) {
                    seen = now;
                } else if (now > 0 && own.compareAndSet(now, -now)) {
                    synchronized (Crew.this) {
                        next();
                    }
                } else {
                    watchSleeps = true;
                    // Whoever begins a call of its own says so before it asks whether anybody sleeps.
                    while (own.get() == seen) {
                        LockSupport.parkNanos(this, Rest.everyNs());
                        Thread.interrupted();
                        rest.look();
                    }
                    watchSleeps = false;
                }
            }
        }
    }
}
