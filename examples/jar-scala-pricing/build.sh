#!/bin/sh
# Makes pricing-assembly.jar: the classes of this folder and Scala's own library in one archive, as an assembly has it.
#   apt-get install scala default-jdk-headless
set -eu
cd "$(dirname "$0")"
target=${1:-pricing-assembly.jar}
library=${SCALA_LIBRARY:-/usr/share/java/scala-library.jar}
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
(cd "$classes" && jar xf "$library" && rm -rf META-INF)
scalac -nowarn -d "$classes" src/com/acme/*.scala
jar cfe "$target" com.acme.Tool -C "$classes" .
