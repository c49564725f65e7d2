#!/bin/sh
# Makes greeting.jar; needs javac and jar (apt-get install default-jdk-headless).
set -eu
cd "$(dirname "$0")"
target=${1:-greeting.jar}
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
javac --release 8 -Xlint:-options -d "$classes" src/com/acme/*.java
jar cf "$target" -C "$classes" .
