// The threads that calls run on: daemons, so that none of them keeps the process from its end.
package dev.enact.jvm;

import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;

/** Makes and names the threads of the pool. */
final class CallThreads implements ThreadFactory {
    private final AtomicInteger count = new AtomicInteger();

    @Override
    public Thread newThread(Runnable runnable) {
        Thread thread = new Thread(runnable, "enact-call-" + count.incrementAndGet());
        thread.setDaemon(true);
        return thread;
    }
}
