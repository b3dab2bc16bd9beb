package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"
)

// A template's memory is what every box of it begins with, so no box may ever change it. QEMU (before 8.2) opens a file that is to be its guest's
// memory for writing even where it maps it privately, and keeps it open: what it gets is a copy in memory that is sealed. The kernel then
// refuses every write and every shared mapping that could write, whoever asks. A box with volumes gets a copy for itself alone, which is not sealed.

const (
	mfdCloexec      = 1
	mfdAllowSealing = 2
	fAddSeals       = 1033
	sealAll         = 1 | 2 | 4 | 8 // F_SEAL_SEAL, _SHRINK, _GROW, _WRITE

	seekData = 3
	copyUnit = 1 << 20
	pageSize = 4096
)

// hold makes a copy of a file, says its descriptor's number in a line on out, and holds it until in ends: by then, whoever wants it has opened it
// by /proc/PID/fd.
func hold(path string, seal bool, in io.Reader, out io.Writer) error {
	held, err := copyInMemory(path, seal)
	if err != nil {
		return err
	}
	defer held.Close()
	if _, err := fmt.Fprintln(out, held.Fd()); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in)
	return nil
}

func copyInMemory(path string, seal bool) (*os.File, error) {
	source, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return nil, err
	}
	// As it is in /proc/PID/maps of whoever maps it.
	name := "boxrun-memory"
	if seal {
		name = "boxrun-template"
	}
	nul := append([]byte(name), 0)
	fd, _, errno := syscall.Syscall(sysMemfdCreate, uintptr(unsafe.Pointer(&nul[0])), mfdCloexec|mfdAllowSealing, 0)
	if errno != 0 {
		return nil, fmt.Errorf("make a file in memory: %w", errno)
	}
	target := os.NewFile(fd, name)
	if err := fill(target, source, info.Size()); err != nil {
		target.Close()
		return nil, fmt.Errorf("copy %s into memory: %w", path, err)
	}
	if !seal {
		return target, nil
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, fAddSeals, sealAll); errno != 0 {
		target.Close()
		return nil, fmt.Errorf("seal the copy of %s: %w", path, errno)
	}
	return target, nil
}

// fill copies what a sparse file has, and leaves its holes and its pages of zeros out.
func fill(target, source *os.File, size int64) error {
	if err := target.Truncate(size); err != nil {
		return err
	}
	parts, err := dataOf(source, size)
	if err != nil {
		return err
	}
	buffer := make([]byte, copyUnit)
	for _, part := range parts {
		for at := part.from; at < part.to; {
			n, err := source.ReadAt(buffer[:min(copyUnit, part.to-at)], at)
			if err != nil && err != io.EOF || n == 0 {
				return fmt.Errorf("read %d bytes at %d: %w", copyUnit, at, err)
			}
			for _, some := range filled(buffer[:n]) {
				if _, err := target.WriteAt(buffer[some.from:some.to], at+some.from); err != nil {
					return err
				}
			}
			at += int64(n)
		}
	}
	return nil
}

var zeros [pageSize]byte

// filled gives the stretches of pages that are not all zeros.
func filled(content []byte) []extent {
	var stretches []extent
	for from := int64(0); from < int64(len(content)); from += pageSize {
		to := min(from+pageSize, int64(len(content)))
		if bytes.Equal(content[from:to], zeros[:to-from]) {
			continue
		}
		if last := len(stretches) - 1; last >= 0 && stretches[last].to == from {
			stretches[last].to = to
		} else {
			stretches = append(stretches, extent{from, to})
		}
	}
	return stretches
}
