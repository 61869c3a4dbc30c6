#!/usr/bin/env bash
# record.sh - makes the files of this folder anew with the `go` on PATH.
#
#   record.sh OUTDIR [STATE...]
#
# Each STATE of main.go (all of them, if none is named) is run, and leaves OUTDIR/STATE-goVERSION-FORM.zst for every form
# in which people have the numbers. The state "released" runs with GODEBUG=madvdontneed=0, "cgo" needs a C compiler.
# Needs Go 1.19 or newer and zstd. Nothing is downloaded.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: record.sh OUTDIR [STATE...]" >&2; exit 1; }
out=$1
shift
[ $# -gt 0 ] || set -- live stacks grown buffer idle released sparse cgo
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"
export GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=mod GOWORK=off
version=$(go env GOVERSION)
built=$(mktemp -d)
trap 'rm -r "$built"' EXIT
for state in "$@"; do
    cgo=0
    [ "$state" != cgo ] || cgo=1
    [ -x "$built/inhand-$cgo" ] || CGO_ENABLED=$cgo go build -trimpath -o "$built/inhand-$cgo" .
    godebug=${GODEBUG:-}
    [ "$state" != released ] || godebug=madvdontneed=0
    mkdir -p "$built/out"
    (cd "$built" && GODEBUG=$godebug "./inhand-$cgo" -state "$state" -out out)
    for file in "$built/out/$state"-*; do
        name=$(basename "$file")
        sed "s#$built/#/app/#g" "$file" | zstd -q -19 -f -o "$out/$state-$version-${name#"$state"-}.zst"
    done
    rm -r "$built/out"
done
