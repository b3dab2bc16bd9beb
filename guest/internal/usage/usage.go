// Package usage tells what the machine around the agent uses: CPU, memory, network and processes, as the kernel counts them in
// /proc. Nothing is kept between two calls, and nothing runs when nobody asks.
package usage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"boxrun.dev/guest/internal/wire"
)

// tickMS is how long a tick of /proc/stat is: Linux tells programs so on every architecture that we run on.
const tickMS = 10

// kernelThread is PF_KTHREAD of the flags in /proc/PID/stat.
const kernelThread = 0x00200000

// Read fills in all of u but the disk, from the proc file system mounted at proc.
func Read(proc string, u *wire.Usage) error {
	for _, read := range []func(string, *wire.Usage) error{readCPU, readMemory, readNetwork, countProcesses} {
		if err := read(proc, u); err != nil {
			return fmt.Errorf("read usage: %w", err)
		}
	}
	return nil
}

// readCPU sums what all CPUs have done: everything but idle, iowait (fields 4 and 5), and the guest times, which user and nice hold already.
func readCPU(proc string, u *wire.Usage) error {
	text, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 8 || fields[0] != "cpu" {
		return fmt.Errorf("%s/stat begins with %q", proc, line)
	}
	for _, field := range []int{1, 2, 3, 6, 7} {
		ticks, err := strconv.ParseUint(fields[field], 10, 64)
		if err != nil {
			return err
		}
		u.CPUMS += ticks * tickMS
	}
	return nil
}

func readMemory(proc string, u *wire.Usage) error {
	text, err := os.ReadFile(filepath.Join(proc, "meminfo"))
	if err != nil {
		return err
	}
	total, available := uint64(0), uint64(0)
	for line := range strings.Lines(string(text)) {
		// "MemTotal:        2021200 kB"
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kb, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			continue
		}
		switch fields[0] {
		case "MemTotal:":
			total = kb << 10
		case "MemAvailable:":
			available = kb << 10
		}
	}
	u.MemoryTotal = total
	u.MemoryUsed = total - min(available, total)
	return nil
}

// readNetwork sums all interfaces but the loopback one; without any the box has no network.
func readNetwork(proc string, u *wire.Usage) error {
	text, err := os.ReadFile(filepath.Join(proc, "net/dev"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		// "  eth0: 1 2 3 4 5 6 7 8 9 …": bytes received first, bytes sent ninth. The two lines of heading have no colon.
		name, numbers, found := strings.Cut(line, ":")
		fields := strings.Fields(numbers)
		if !found || strings.TrimSpace(name) == "lo" || len(fields) < 9 {
			continue
		}
		received, err := strconv.ParseUint(fields[0], 10, 64)
		if err != nil {
			return err
		}
		sent, err := strconv.ParseUint(fields[8], 10, 64)
		if err != nil {
			return err
		}
		if u.Network == nil {
			u.Network = &wire.Traffic{}
		}
		u.Network.Received += received
		u.Network.Sent += sent
	}
	return nil
}

// countProcesses counts what is neither the kernel's nor the agent itself.
func countProcesses(proc string, u *wire.Usage) error {
	dir, err := os.Open(proc)
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	own := strconv.Itoa(os.Getpid())
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' || name == own {
			continue
		}
		// One that has ended meanwhile counts no more.
		stat, err := os.ReadFile(filepath.Join(proc, name, "stat"))
		if err == nil && !isKernels(stat) {
			u.Processes++
		}
	}
	return nil
}

func isKernels(stat []byte) bool {
	// The name, in parentheses, may hold anything. Behind it: state, ppid, pgrp, session, tty, tpgid, flags.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 7 {
		return true
	}
	flags, err := strconv.ParseUint(fields[6], 10, 64)
	return err != nil || flags&kernelThread != 0
}
