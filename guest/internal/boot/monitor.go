package boot

import (
	"log"
	"os"
	"slices"
	"strconv"
)

// monitorSlack is by how much the monitor may oversleep, in nanoseconds.
const monitorSlack = 5_000_000

// calmRuntime keeps the Go runtime's monitor from interrupting by a signal what has run for 10 ms, so that others have their turn: a VM's kernel and Go's own function calls see
// to that. On an emulated CPU whatever is done for the first time takes as long, and so every box began with some.
const calmRuntime = "GODEBUG=asyncpreemptoff=1"

// calmMonitor lets the Go runtime's monitor thread (sysmon) oversleep. As long as anything runs it looks after it every 20 µs, and each of
// these sleeps is a timer that is set and an interrupt. That is much for a VM, and on an emulated CPU more than the work itself: an
// exec took 66 interrupts and 168 context switches there, and takes 10 and 49 this way. The price is that a goroutine in a system call that
// blocks keeps its processor from the others by that much at most: so there are some to spare where files are moved (server.addProcessors).
func calmMonitor() {
	if err := setMonitorSlack(); err != nil {
		log.Printf("the runtime's monitor keeps waking up: %v", err)
	}
}

func setMonitorSlack() error {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	var threads []int
	for _, entry := range entries {
		id, err := strconv.Atoi(entry.Name())
		if err != nil {
			return err
		}
		threads = append(threads, id)
	}
	slices.Sort(threads)
	// The first that the runtime makes, before the program's own code runs. Should that change, another thread of ours gets the slack: no harm
	// is done, and no program inherits it (package proc).
	if len(threads) < 2 {
		return nil
	}
	return os.WriteFile("/proc/"+strconv.Itoa(threads[1])+"/timerslack_ns", strconv.AppendInt(nil, monitorSlack, 10), 0)
}
