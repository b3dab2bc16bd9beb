// Package reclaim has the kernel let go of what it keeps of files in memory, which a VM's host would have to hold for it.
package reclaim

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"boxrun.dev/guest/internal/sys"
)

const (
	// keptBytes of files stay in memory: what the kernel takes for the most used. Most of it is what a template had, which costs the host nothing.
	keptBytes = 32 << 20
	// chunkBytes go at a time, so that whoever wants to work meanwhile is not held up by all of it.
	chunkBytes = 16 << 20
)

// Files lets go of the least used of what is kept of files, in the cgroup2 root at cgroups, by what the proc file system at proc counts. What is not yet
// written to a disk stays. A VM that swaps is left alone: there it might write programs' memory out instead.
func Files(proc, cgroups string) error {
	cached, swap, err := read(proc)
	if err != nil || swap > 0 {
		return err
	}
	if cached <= keptBytes {
		return nil
	}
	path := filepath.Join(cgroups, "memory.reclaim")
	// Not by way of os: that takes EAGAIN for "try again once there is room", and waits for ever.
	file, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = syscall.Close(file) }()
	for left := cached - keptBytes; left > 0; {
		amount := min(left, chunkBytes)
		err := sys.Retry(func() error {
			_, err := syscall.Write(file, strconv.AppendInt(nil, amount, 10))
			return err
		})
		if err == syscall.EAGAIN {
			return nil // nothing more can go
		}
		if err != nil {
			return &os.PathError{Op: "write", Path: path, Err: err}
		}
		// The kernel lets go of more than it is asked for.
		if cached, _, err = read(proc); err != nil {
			return err
		}
		left = min(left-amount, cached-keptBytes)
	}
	return nil
}

// read gives the bytes of files that are in memory, those of tmpfs left out, and of swap.
func read(proc string) (cached, swap int64, err error) {
	text, err := os.ReadFile(filepath.Join(proc, "meminfo"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		// "Active(file):      37688 kB"
		name, value, _ := strings.Cut(line, ":")
		kilobytes, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "Active(file)", "Inactive(file)":
			cached += kilobytes << 10
		case "SwapTotal":
			swap = kilobytes << 10
		}
	}
	return cached, swap, nil
}
