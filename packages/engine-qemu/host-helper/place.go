package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// A box that goes on from a template has the template's memory for its own, copied by the first write. Had QEMU mapped it, QEMU would have a file for its
// guest's memory: whatever the guest gives back it would first punch out of that file, which is everybody's, and sealed; and a page of which the
// template has nothing would be made in the file first, for good, and then copied. So QEMU is started with memory of its own, which is empty, and before
// its guest goes on, what the template has is mapped over it, in QEMU's name (ptrace(2)). QEMU knows of no file, and drops with madvise(2) what the guest gives back.

// holePages: so many pages of nothing, in a row, are left to QEMU's own memory. Each stretch is a mapping, of some tens of microseconds.
const holePages = 16

// place reads the number of a process in a line on in, maps the file at path, which the process has open as fd, over the process's memory of the same
// size, and says in a line on out that it is done.
func place(path string, fd int, in io.Reader, out io.Writer) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	stretches, err := dataOf(file, info.Size())
	if err != nil {
		return fmt.Errorf("look for what is in %s: %w", path, err)
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		return fmt.Errorf("wait for the word to map %s: %w", path, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return fmt.Errorf("read the process's number: %w", err)
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return err
	}
	memory, err := memoryOf(maps, uint64(info.Size()))
	if err != nil {
		return fmt.Errorf("find the memory of process %d: %w", pid, err)
	}
	if err := mapInto(pid, memory, fd, info.Size(), stretches); err != nil {
		return fmt.Errorf("map %s into process %d: %w", path, pid, err)
	}
	_, err = fmt.Fprintln(out, "placed")
	return err
}

// extent is a part of a file, in bytes.
type extent struct{ from, to int64 }

// dataOf gives what a file has, in as many parts as there are holes that are worth it.
func dataOf(file *os.File, size int64) ([]extent, error) {
	const seekHole = 4
	var extents []extent
	for at := int64(0); at < size; {
		from, err := file.Seek(at, seekData)
		if errors.Is(err, syscall.ENXIO) {
			return extents, nil // a hole up to the end
		}
		if err != nil {
			return nil, err
		}
		to, err := file.Seek(from, seekHole)
		if err != nil {
			return nil, err
		}
		from -= from % pageSize
		to = min(size, (to+pageSize-1)/pageSize*pageSize)
		if last := len(extents) - 1; last >= 0 && from-extents[last].to < holePages*pageSize {
			extents[last].to = to
		} else {
			extents = append(extents, extent{from, to})
		}
		at = to
	}
	return extents, nil
}

// memoryOf finds in a process's /proc/PID/maps where its only memory of this size is that no file is behind.
func memoryOf(maps []byte, size uint64) (uint64, error) {
	var found []uint64
	for line := range bytes.Lines(maps) {
		fields := strings.Fields(string(line))
		if len(fields) != 5 || fields[1] != "rw-p" || fields[4] != "0" {
			continue
		}
		from, to, ok := bounds(fields[0])
		if ok && to-from == size {
			found = append(found, from)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("it has %d mappings of %d bytes, want 1", len(found), size)
	}
	return found[0], nil
}

// bounds reads `from-to` of /proc/PID/maps.
func bounds(text string) (from, to uint64, ok bool) {
	low, high, _ := strings.Cut(text, "-")
	from, err := strconv.ParseUint(low, 16, 64)
	if err != nil {
		return 0, 0, false
	}
	to, err = strconv.ParseUint(high, 16, 64)
	return from, to, err == nil
}
