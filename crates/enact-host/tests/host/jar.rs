//! What a JVM promises beyond the suite.
