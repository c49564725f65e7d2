#!/bin/sh
# A program that knows nothing of enact: counts the words of a file.
#   words.sh FILE  →  {"words": N}   status 2 if there is no such file
[ -r "$1" ] || { echo "no such file: $1" >&2; exit 2; }
printf '{"words": %d}\n' "$(wc -w < "$1")"
