package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

const (
	ptraceSeize     = 0x4206
	ptraceInterrupt = 0x4207
	// ptraceExitKill: should this program end in between, the process ends with it, for its registers are not its own then.
	ptraceExitKill = 0x100000

	madvNoHugePage = 15
	waitAll        = 0x40000000 // __WALL
)

// mapInto has a process map the extents of its descriptor fd, privately, over its memory of that size. The process waits in a system call, as a
// QEMU does that waits for its monitor, and goes on with that as if nothing had been.
func mapInto(pid int, memory uint64, fd int, size int64, extents []extent) (err error) {
	// The kernel takes ptrace requests from the thread that attached.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := ptrace(ptraceSeize, pid, 0, ptraceExitKill); err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	var signal syscall.Signal
	defer func() {
		if failed := ptrace(syscall.PTRACE_DETACH, pid, 0, uintptr(signal)); failed != nil && err == nil {
			err = fmt.Errorf("detach: %w", failed)
		}
	}()
	if err := ptrace(ptraceInterrupt, pid, 0, 0); err != nil {
		return fmt.Errorf("stop it: %w", err)
	}
	if _, err := waitForStop(pid); err != nil {
		return err
	}
	var before syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(pid, &before); err != nil {
		return fmt.Errorf("read its registers: %w", err)
	}
	defer func() {
		if failed := syscall.PtraceSetRegs(pid, &before); failed != nil && err == nil {
			err = fmt.Errorf("give its registers back: %w", failed)
		}
	}()
	entry, err := systemCallIn(pid)
	if err != nil {
		return err
	}
	call := func(number uint64, arguments ...uint64) error {
		regs := before
		regs.Rip, regs.Rax = entry, number
		// None that the kernel would begin anew.
		regs.Orig_rax = ^uint64(0)
		for i, register := range []*uint64{&regs.Rdi, &regs.Rsi, &regs.Rdx, &regs.R10, &regs.R8, &regs.R9}[:len(arguments)] {
			*register = arguments[i]
		}
		if err := syscall.PtraceSetRegs(pid, &regs); err != nil {
			return err
		}
		for regs.Rip == entry {
			if err := syscall.PtraceSingleStep(pid); err != nil {
				return err
			}
			stopped, err := waitForStop(pid)
			if err != nil {
				return err
			}
			// It gets it when it goes on.
			if stopped != syscall.SIGTRAP {
				signal = stopped
			}
			if err := syscall.PtraceGetRegs(pid, &regs); err != nil {
				return err
			}
		}
		if result := int64(regs.Rax); result < 0 && result >= -4095 {
			return syscall.Errno(-result)
		}
		return nil
	}
	// As memory of a file has none: a page that is written to is to cost a page. Where there are none at all, that is as well.
	if err := call(syscall.SYS_MADVISE, memory, uint64(size), madvNoHugePage); err != nil && err != syscall.EINVAL {
		return fmt.Errorf("have it take small pages: %w", err)
	}
	for _, part := range extents {
		const protection, flags = syscall.PROT_READ | syscall.PROT_WRITE, syscall.MAP_PRIVATE | syscall.MAP_FIXED
		err := call(syscall.SYS_MMAP, memory+uint64(part.from), uint64(part.to-part.from), protection, flags, uint64(fd), uint64(part.from))
		if err != nil {
			return fmt.Errorf("map %d bytes at %d: %w", part.to-part.from, part.from, err)
		}
	}
	return nil
}

func ptrace(request, pid int, address, data uintptr) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, uintptr(request), uintptr(pid), address, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func waitForStop(pid int) (syscall.Signal, error) {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, waitAll, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("wait for it to stop: %w", err)
		}
		if !status.Stopped() {
			return 0, fmt.Errorf("it ended meanwhile")
		}
		return status.StopSignal(), nil
	}
}

// systemCallIn finds an instruction that makes a system call in what the kernel maps into every process.
func systemCallIn(pid int) (uint64, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(maps) {
		fields := strings.Fields(string(line))
		if len(fields) != 6 || fields[5] != "[vdso]" {
			continue
		}
		from, to, ok := bounds(fields[0])
		if !ok {
			continue
		}
		memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			return 0, err
		}
		defer memory.Close()
		code := make([]byte, to-from)
		if _, err := memory.ReadAt(code, int64(from)); err != nil {
			return 0, fmt.Errorf("read its vdso: %w", err)
		}
		if at := bytes.Index(code, []byte{0x0f, 0x05}); at >= 0 {
			return from + uint64(at), nil
		}
	}
	return 0, fmt.Errorf("its vdso has no system call")
}
