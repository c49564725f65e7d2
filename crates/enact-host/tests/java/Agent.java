// Runs before the JVM side begins, so that a start can be slow, fail or hang.

/** The agent: what it does stands in its argument. */
public final class Agent {
    private Agent() {
    }

    public static void premain(String how) throws InterruptedException {
        switch (how) {
            case "slow":
                Thread.sleep(400);
                break;
            case "silent":
                Thread.sleep(60_000);
                break;
            default:
                System.err.println("no licence");
                Runtime.getRuntime().halt(5);
        }
    }
}
