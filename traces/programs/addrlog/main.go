// addrlog makes and drops objects by a seeded plan, and prints afterwards where
// each of them lay: the real allocator's answers, for any Go since 1.10.
//
//	addrlog SIZES COLLECT SEED ROUNDS OBJECTS
//
// SIZES is small, mid, pages or all: see sizes below. COLLECT is one of
//
//	full  runtime.GC() after every round, all swept when it returns
//	lazy  one automatic collection a round; what it leaves unswept is swept
//	      by allocations alone
//	auto  GOGC=100, collections where the pacer puts them
//
// In each of ROUNDS rounds OBJECTS objects are made, and some dropped.
//
// run.sh builds it and sets what it needs. lazy and auto learn of a collection
// by the length of the file that gctrace goes to: GODEBUG=gctrace=1,
// gcstoptheworld=1 and the standard error in a file.
//
// The output is JSON Lines. A head; then, as "warm", the spans that were filled
// before the start, in order and for ever; then every event with its address.
// When recording starts, no span has a free slot, no page below first_free is
// free, and all above are. From then on the program allocates nothing else.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	pageBytes  = 8192
	arenaBytes = 64 << 20
	maxObjects = 40000
	maxKept    = 400000
	maxEntries = 90000
	never      = 100000000 // GOGC so high that no collection starts by itself
)

// class is a size class: the bytes of a slot and the pages of a span, as in Go's
// sizeclasses.go. The class of 24 bytes came with Go 1.16.
type class struct{ bytes, pages uintptr }

var classes = []class{
	{8, 1}, {16, 1}, {24, 1}, {32, 1}, {48, 1}, {64, 1}, {80, 1}, {96, 1}, {112, 1}, {128, 1}, {144, 1}, {160, 1},
	{176, 1}, {192, 1}, {208, 1}, {224, 1}, {240, 1}, {256, 1}, {288, 1}, {320, 1}, {352, 1}, {384, 1}, {416, 1},
	{448, 1}, {480, 1}, {512, 1}, {576, 1}, {640, 1}, {704, 1}, {768, 1}, {896, 1}, {1024, 1}, {1152, 1}, {1280, 1},
	{1408, 2}, {1536, 1}, {1792, 2}, {2048, 1}, {2304, 2}, {2688, 1}, {3072, 3}, {3200, 2}, {3456, 3}, {4096, 1},
	{4864, 3}, {5376, 2}, {6144, 3}, {6528, 4}, {6784, 5}, {6912, 6}, {8192, 1}, {9472, 7}, {9728, 6}, {10240, 5},
	{10880, 4}, {12288, 3}, {13568, 5}, {14336, 7}, {16384, 2}, {18432, 9}, {19072, 7}, {20480, 5}, {21760, 8},
	{24576, 3}, {27264, 10}, {28672, 7}, {32768, 4},
}

var release = minorOf(runtime.Version())

// minorOf is 22 for "go1.22.10", and high for what is no release.
func minorOf(version string) int {
	digits := strings.TrimPrefix(version, "go1.")
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		digits = digits[:end]
	}
	minor, err := strconv.Atoi(digits)
	if err != nil {
		return 99
	}
	return minor
}

// slots is how many objects a span of the class holds beside its metadata.
func (c class) slots(scan bool) uintptr {
	metadata := uintptr(0)
	if release >= 22 && scan && c.bytes <= 512 {
		metadata += c.pages * pageBytes / 64
	}
	if release >= 26 && c.bytes >= 16 && c.bytes <= 512 {
		metadata += 128
	}
	return (c.pages*pageBytes - metadata) / c.bytes
}

// span is where the span begins that has a slot at this address: on a page, and a
// whole number of slots before it.
func (c class) span(slot uintptr) uintptr {
	start := slot &^ (pageBytes - 1)
	for (slot-start)%c.bytes != 0 {
		start -= pageBytes
	}
	return start
}

// header is how far behind its slot's address an object of the class lies.
func (c class) header(scan bool) uintptr {
	if release >= 22 && scan && c.bytes > 512 {
		return 8
	}
	return 0
}

// What is kept. Objects without pointers hang on the two arrays. Those with pointers
// form one list, each with the next in its first word, so that marking meets them one
// at a time; beside it the program knows them by number only.
var (
	kept    [maxKept]unsafe.Pointer
	nkept   int
	forever unsafe.Pointer // list of the objects with pointers made before the start
	plain   [maxObjects]unsafe.Pointer
	newest  unsafe.Pointer // list of the program's own
	at      [maxObjects]uintptr
	newer   [maxObjects]int32 // neighbours in it; -1 at its ends
	older   [maxObjects]int32
	first   int32 = -1
	alive   [maxObjects]int32 // numbers of the live objects, in any order
	place   [maxObjects]int32 // where each stands there
	nalive  int32
)

//go:noinline
func bytesOf(n uintptr) unsafe.Pointer {
	made := make([]byte, n)
	return unsafe.Pointer(&made[0])
}

//go:noinline
func pointersOf(n uintptr) unsafe.Pointer {
	made := make([]unsafe.Pointer, n/8)
	return unsafe.Pointer(&made[0])
}

// Before the start.

type span struct {
	addr  uintptr
	bytes uintptr
	scan  bool
}

var (
	filled  [60000]span
	nfilled int
)

func note(addr, bytes uintptr, scan bool) {
	filled[nfilled] = span{addr, bytes, scan}
	nfilled++
}

// keep makes an object that lives for ever and returns its address.
//
//go:noinline
func keep(bytes uintptr, scan bool) uintptr {
	if scan {
		made := pointersOf(bytes)
		*(*unsafe.Pointer)(made) = forever
		forever = made
		return uintptr(made)
	}
	made := bytesOf(bytes)
	kept[nkept] = made
	nkept++
	return uintptr(made)
}

// fill makes objects of a class until a span of its own is full of them: Go takes a
// new one only if none has a free slot, and the slots of a new one come in order.
func fill(c class, scan bool) {
	header := c.header(scan)
	bytes := c.bytes
	if header > 0 || bytes > 32760 && release >= 22 {
		bytes -= 8
	}
	var current, last, count uintptr
	for {
		slot := keep(bytes, scan) - header
		if slot-current >= c.pages*pageBytes {
			current = c.span(slot)
			note(current, c.bytes, scan)
		}
		if count > 0 && slot == last+c.bytes {
			count++
		} else {
			count = 0
			if slot == current {
				count = 1
			}
		}
		last = slot
		if count == c.slots(scan) {
			return
		}
	}
}

// fillTiny uses up the current block of tiny objects.
func fillTiny() {
	for {
		addr := keep(8, false)
		if addr%pageBytes == 0 {
			note(addr, 16, false)
		}
		if addr%16 == 8 {
			return
		}
	}
}

// fillPages takes single pages until they come one after the other, up to the end of a
// block of 64, so that neither a hole nor a P's page cache is left. There are enough of
// them that the first heap goal hardly depends on what the runtime keeps for itself.
// It returns the first free address.
func fillPages() uintptr {
	const enough = 2500
	var last uintptr
	for run := 0; ; {
		addr := keep(pageBytes, false)
		note(addr, pageBytes, false)
		if addr == last+pageBytes {
			run++
		} else {
			run = 0
		}
		last = addr
		if run > enough && (addr/pageBytes)%64 == 63 {
			return addr + pageBytes
		}
	}
}

// growStack gives the goroutine all the stack that it will need.
//
//go:noinline
func growStack() byte {
	var room [48 << 10]byte
	room[len(os.Args)] = 1
	return room[2]
}

// settle lets the background sweeper finish.
func settle() {
	for i := 0; i < 300; i++ {
		runtime.Gosched()
	}
}

// prepare collects what the start of the program left, and fills all that has room.
func prepare() uintptr {
	growStack()
	for i := 0; i < 8; i++ {
		go time.Sleep(time.Millisecond) // the runtime's list of timers grows now
	}
	time.Sleep(5 * time.Millisecond)
	for i := 0; i < 4; i++ {
		runtime.GC()
		settle()
	}
	time.Sleep(3 * time.Millisecond)
	settle()
	for _, c := range classes {
		fill(c, true)
		if c.bytes > 8 { // below 16 bytes without pointers there are tiny blocks only
			fill(c, false)
		}
	}
	fillTiny()
	fill(class{16, 1}, false)
	return fillPages()
}

// The plan.

var state uint64

// below draws a number from 0 to n-1 (xorshift).
func below(n int) int {
	state ^= state >> 12
	state ^= state << 25
	state ^= state >> 27
	return int(state * 2685821657736338717 >> 33 % uint64(n))
}

// part is a share of a plan, in percent, and its sizes in bytes.
type part struct{ percent, least, most int }

var sizes = map[string][]part{
	"small": {{20, 1, 15}, {55, 16, 256}, {20, 257, 1024}, {5, 1025, 4096}},
	"mid":   {{65, 300, 3400}, {25, 3401, 10000}, {8, 10001, 32768}, {2, 32769, 330000}},
	"pages": {{30, 8000, 8192}, {30, 9000, 32768}, {30, 32769, 130000}, {9, 130001, 1 << 20}, {1, 1<<20 + 1, 5 << 20}},
	"all": {{10, 1, 15}, {40, 16, 1024}, {36, 1025, 10000}, {8, 10001, 32768}, {5, 32769, 300000},
		{1, 300001, 4 << 20}},
}

// draw is the size of the next object, and whether it has pointers.
func draw(parts []part) (uintptr, bool) {
	x := below(100)
	i := 0
	for x >= parts[i].percent {
		x -= parts[i].percent
		i++
	}
	bytes := uintptr(parts[i].least + below(parts[i].most-parts[i].least+1))
	if bytes < 16 || below(100) >= 45 {
		return bytes, false
	}
	return (bytes + 7) &^ 7, true
}

// The log.

type what uint8

const (
	made what = iota
	dropped
	collected
	collectedLazily
	percentSet
)

type entry struct {
	addr   uintptr
	number int32 // of an object; or per cent
	bytes  int32
	what   what
	scan   bool
}

var (
	entries  [maxEntries]entry
	nentries int
	watching bool
	logBytes uintptr
)

func log(e entry) {
	entries[nentries] = e
	nentries++
}

// traceBytes is the length of the file that gctrace is written to. A raw system call:
// the scheduler is not told, so no other goroutine gets a turn.
func traceBytes() uintptr {
	length, _, _ := syscall.RawSyscall(syscall.SYS_LSEEK, 2, 0, 2)
	return length
}

// create makes object `number`.
//
//go:noinline
func create(number int32, bytes uintptr, scan bool) {
	if scan {
		object := pointersOf(bytes)
		*(*unsafe.Pointer)(object) = newest
		newest = object
		at[number] = uintptr(object)
		newer[number], older[number] = -1, first
		if first >= 0 {
			newer[first] = number
		}
		first = number
		log(entry{uintptr(object), number, int32(bytes), made, true})
	} else {
		object := bytesOf(bytes)
		plain[number] = object
		log(entry{uintptr(object), number, int32(bytes), made, false})
	}
	alive[nalive], place[number] = number, nalive
	nalive++
	if length := traceBytes(); watching && length != logBytes {
		logBytes = length
		log(entry{what: collectedLazily})
	}
}

// drop lets go of a live object.
//
//go:noinline
func drop() {
	number := alive[below(int(nalive))]
	nalive--
	last := alive[nalive]
	alive[place[number]], place[last] = last, place[number]
	log(entry{number: number, what: dropped})
	if at[number] == 0 {
		plain[number] = nil
		return
	}
	before, behind := newer[number], older[number]
	next := *(*unsafe.Pointer)(pointer(at[number]))
	if before >= 0 {
		*(*unsafe.Pointer)(pointer(at[before])) = next
		older[before] = behind
	} else {
		newest, first = next, behind
	}
	if behind >= 0 {
		newer[behind] = before
	}
	at[number] = 0
}

// pointer is the object at an address; the list keeps it alive.
func pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

func setPercent(percent int32) {
	debug.SetGCPercent(int(percent))
	log(entry{number: percent, what: percentSet})
}

// run follows the plan.
func run(parts []part, collect string, rounds, objects int) {
	number := int32(0)
	for round := 0; round < rounds; round++ {
		for i := 0; i < objects; i++ {
			bytes, scan := draw(parts)
			create(number, bytes, scan)
			number++
			if collect == "auto" && (round > 0 || i%2 == 0) || collect != "auto" && i%4 == 3 {
				drop()
			}
		}
		if collect == "auto" {
			continue
		}
		for left := nalive * int32(20+25*(round%3)) / 100; left > 0; left-- {
			drop()
		}
		if collect == "full" {
			runtime.GC()
			settle()
			log(entry{what: collected})
			continue
		}
		setPercent(1)
		for tries := 0; tries < 50 && entries[nentries-1].what != collectedLazily; tries++ {
			create(number, 40000, false)
			number++
		}
		setPercent(never)
	}
}

func main() {
	debug.SetGCPercent(-1)
	if len(os.Args) != 6 || sizes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: addrlog small|mid|pages|all full|lazy|auto SEED ROUNDS OBJECTS")
		os.Exit(2)
	}
	parts, collect := sizes[os.Args[1]], os.Args[2]
	seed, rounds, objects := arg(3), arg(4), arg(5)
	gogc, known := map[string]string{"full": "off", "lazy": "explicit", "auto": "100"}[collect]
	if !known || rounds*(objects+50) > maxObjects || rounds < 1 || objects < 1 {
		fmt.Fprintln(os.Stderr, "addrlog: COLLECT is full, lazy or auto; ROUNDS x OBJECTS at most about", maxObjects)
		os.Exit(2)
	}
	state = uint64(seed)*0x9E3779B97F4A7C15 + 1
	for i := 0; i < 20; i++ {
		below(2)
	}
	free := prepare()
	logBytes = traceBytes()
	watching = collect != "full"
	if collect == "lazy" {
		debug.SetGCPercent(never)
	} else if collect == "auto" {
		debug.SetGCPercent(100)
	}
	run(parts, collect, rounds, objects)
	debug.SetGCPercent(-1)
	show(free, gogc)
}

func arg(i int) int {
	number, err := strconv.Atoi(os.Args[i])
	if err != nil || number < 0 {
		fmt.Fprintf(os.Stderr, "addrlog: %q is no number\n", os.Args[i])
		os.Exit(2)
	}
	return number
}

// show prints the log.
func show(free uintptr, gogc string) {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	version := strings.Fields(strings.Replace(runtime.Version(), "-", " ", -1))[0]
	base := free &^ (arenaBytes - 1)
	for _, s := range filled[:nfilled] {
		if s.addr < base {
			base = s.addr &^ (arenaBytes - 1)
		}
	}
	fmt.Fprintf(out, "{\"go\":%q,\"gomaxprocs\":%d,\"gogc\":%q,\"base\":\"%#x\",\"first_free\":\"%#x\",\"program\":%q}\n",
		version, runtime.GOMAXPROCS(0), gogc, base, free, "addrlog "+strings.Join(os.Args[1:], " "))
	for _, s := range filled[:nfilled] {
		fmt.Fprintf(out, "{\"op\":\"warm\",\"size\":%d,\"scan\":%v,\"addr\":\"%#x\"}\n", s.bytes, s.scan, s.addr)
	}
	for _, e := range entries[:nentries] {
		switch e.what {
		case made:
			fmt.Fprintf(out, "{\"op\":\"alloc\",\"id\":%d,\"size\":%d,\"scan\":%v,\"addr\":\"%#x\"}\n", e.number, e.bytes, e.scan, e.addr)
		case dropped:
			fmt.Fprintf(out, "{\"op\":\"free\",\"id\":%d}\n", e.number)
		case collected:
			fmt.Fprintln(out, `{"op":"gc"}`)
		case collectedLazily:
			fmt.Fprintln(out, `{"op":"gc","sweep":"lazy"}`)
		case percentSet:
			fmt.Fprintf(out, "{\"op\":\"setgc\",\"percent\":%d}\n", e.number)
		}
	}
}
