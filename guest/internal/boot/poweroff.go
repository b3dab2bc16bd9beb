package boot

import (
	"log"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"boxrun.dev/guest/internal/proc"
	"boxrun.dev/guest/internal/wire"
)

const (
	// answerTime is what the answer to POST /poweroff gets to leave the VM.
	answerTime = 100 * time.Millisecond
	// termTime is what the box's processes get between SIGTERM and SIGKILL where nobody says how long: the host's time for a stop is over soon.
	termTime = 2 * time.Second
	killTime = 2 * time.Second
	// insideTime is what they get when it is the box itself that powers off.
	insideTime = 10 * time.Second
	// maxKilled is how many of those that had to be killed are told.
	maxKilled = 32
)

// HandleSignals keeps PID 1 alive: programs of the box may send it anything, and the Go runtime would end itself on some.
// What busybox's and others' poweroff, reboot and halt send powers off.
func (m *Machine) HandleSignals() {
	// Ctrl-Alt-Del becomes a SIGINT.
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_CAD_OFF)
	handleSignals(func() {
		go func() {
			m.EndProcesses(insideTime)
			m.PowerOff()
		}()
	})
}

// EndProcesses ends every process of the box, and says which had to be killed.
func (m *Machine) EndProcesses(grace time.Duration) []wire.Killed {
	return endProcesses(m.procs, grace)
}

func handleSignals(powerOff func()) {
	all := make(chan os.Signal, 16)
	signal.Notify(all, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT,
		syscall.SIGBUS, syscall.SIGFPE, syscall.SIGUSR1, syscall.SIGSEGV, syscall.SIGUSR2, syscall.SIGPIPE,
		syscall.SIGALRM, syscall.SIGTERM, syscall.SIGSTKFLT, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU,
		syscall.SIGXCPU, syscall.SIGXFSZ, syscall.SIGVTALRM, syscall.SIGPROF, syscall.SIGIO, syscall.SIGPWR, syscall.SIGSYS)
	go func() {
		for s := range all {
			switch s {
			case syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPWR:
				powerOff()
			}
		}
	}()
}

// PowerOff ends the VM in the background; it does so once.
func (m *Machine) PowerOff() {
	m.poweringOff.Do(func() { go m.end(time.Now()) })
}

func (m *Machine) end(asked time.Time) {
	endProcesses(m.procs, termTime)
	syscall.Sync()
	m.mu.Lock()
	if m.root != nil {
		m.root.Close()
		m.root = nil
	}
	m.mu.Unlock()
	unmountBox()
	syscall.Sync()
	time.Sleep(time.Until(asked.Add(answerTime)))
	// QEMU's microvm has no ACPI to power off by: it runs with -no-reboot and ends on the reset.
	if kernelArgument("boxrun.poweroff") == "acpi" {
		_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	}
	err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
	log.Printf("power off: %v", err)
}

// endProcesses ends every process but PID 1, politely first, and says which had to be killed.
func endProcesses(procs *proc.Table, grace time.Duration) []wire.Killed {
	_ = syscall.Kill(-1, syscall.SIGTERM)
	hangUp()
	_ = syscall.Kill(-1, syscall.SIGCONT)
	if waitFor(grace, procs.Childless) == nil {
		return []wire.Killed{}
	}
	killed := living()
	_ = syscall.Kill(-1, syscall.SIGKILL)
	_ = waitFor(killTime, procs.Childless)
	return killed
}

// hangUp tells those who lead a terminal's session that the terminal is gone, as its end would: a shell that somebody types into heeds no SIGTERM.
func hangUp() {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, entry := range names {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == 1 {
			continue
		}
		// One that has ended meanwhile is told nothing.
		stat, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err == nil && leadsTerminal(pid, string(stat)) {
			_ = syscall.Kill(pid, syscall.SIGHUP)
		}
	}
}

// leadsTerminal reads what /proc/PID/stat says of the process.
func leadsTerminal(pid int, stat string) bool {
	// The name, in parentheses, may hold anything. Behind it: state, ppid, pgrp, session, tty.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	return len(fields) > 4 && fields[3] == strconv.Itoa(pid) && fields[4] != "0"
}

// living lists the box's processes: all but PID 1, what has ended and the kernel's own, neither of which has arguments.
func living() []wire.Killed {
	found := []wire.Killed{}
	names, err := os.ReadDir("/proc")
	if err != nil {
		return found
	}
	for _, entry := range names {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == 1 || len(found) == maxKilled {
			continue
		}
		arguments, err := os.ReadFile("/proc/" + entry.Name() + "/cmdline")
		if err != nil || len(arguments) == 0 {
			continue
		}
		name, err := os.ReadFile("/proc/" + entry.Name() + "/comm")
		if err == nil {
			found = append(found, wire.Killed{PID: pid, Name: strings.ToValidUTF8(strings.TrimSuffix(string(name), "\n"), "?")})
		}
	}
	return found
}

// unmountBox unmounts everything of the box's, the last mount first. What cannot be unmounted is detached, and the disk
// made read-only at least.
func unmountBox() {
	mounts, err := listMounts()
	if err != nil {
		return
	}
	for _, at := range slices.Backward(mounts) {
		target := at.target
		if !below(target, boxDir) && !below(target, imageDir) && !below(target, diskDir) {
			continue
		}
		if syscall.Unmount(target, 0) == nil {
			continue
		}
		if target == diskDir {
			_ = syscall.Mount("", target, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
		}
		_ = syscall.Unmount(target, syscall.MNT_DETACH)
	}
}
