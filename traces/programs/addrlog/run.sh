#!/usr/bin/env bash
# run.sh - records where the `go` on PATH puts every object.
#
#   run.sh OUTDIR SIZES COLLECT SEED ROUNDS OBJECTS
#
# SIZES ... OBJECTS  as main.go says
#
# It leaves OUTDIR/goVERSION-SIZES-COLLECT-SEED.jsonl, which goalloc reads as it
# is. The program is run nine times and the log seen most often is kept: the
# runtime's timer may give the background sweeper a turn in any one of them. The
# number that agreed is printed. Nothing is downloaded.
set -euo pipefail

[ $# -eq 6 ] || { echo "usage: run.sh OUTDIR SIZES COLLECT SEED ROUNDS OBJECTS, see the head of this file" >&2; exit 1; }
out=$1
shift
mkdir -p "$out"
out=$(cd "$out" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

export GO111MODULE=off GOFLAGS= GOTOOLCHAIN=local CGO_ENABLED=0
version=$(cd / && go version | cut -d' ' -f3)
minor=${version#go1.}
minor=${minor%%.*}
# Since 1.26 the heap begins at a random address, and since 1.13 builds can leave out their paths.
[ "$minor" -lt 26 ] || export GOEXPERIMENT=norandomizedheapbase64
trim=
[ "$minor" -lt 13 ] || trim=-trimpath
cp "$here/main.go" "$work/addrlog.go"
(cd "$work" && go build $trim -o addrlog addrlog.go)

export GOMAXPROCS=1 GOGC=off GODEBUG=gcshrinkstackoff=1
[ "$2" = full ] || GODEBUG+=,gctrace=1,gcstoptheworld=1
for try in 1 2 3 4 5 6 7 8 9; do
    rm -f "$work/trace"
    "$work/addrlog" "$@" >"$work/$try" 2<>"$work/trace" || { tail -3 "$work/trace" >&2; exit 1; }
done
best=$(cd "$work" && cksum 1 2 3 4 5 6 7 8 9 | sort -k1,2 | awk '
    { n[$1]++; if (n[$1] > most) { most = n[$1]; name = $3 } } END { print name, most }')
name=$out/$version-$1-$2-$3.jsonl
cp "$work/${best% *}" "$name"
echo "$name: ${best#* } of 9 runs agree"
