package boot

import (
	"log"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"boxrun.dev/guest/internal/proc"
)

const (
	// answerTime is what the answer to POST /poweroff gets to leave the VM.
	answerTime = 100 * time.Millisecond
	// termTime is what the box's processes get between SIGTERM and SIGKILL.
	termTime = 2 * time.Second
	killTime = 2 * time.Second
)

// HandleSignals keeps PID 1 alive: programs of the box may send it anything, and the Go runtime would end itself on some.
// What busybox's and others' poweroff, reboot and halt send powers off.
func (m *Machine) HandleSignals() {
	// Ctrl-Alt-Del becomes a SIGINT.
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_CAD_OFF)
	handleSignals(m.PowerOff)
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
	endProcesses(m.procs)
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

// endProcesses ends every process but PID 1, politely first.
func endProcesses(procs *proc.Table) {
	_ = syscall.Kill(-1, syscall.SIGTERM)
	_ = syscall.Kill(-1, syscall.SIGCONT)
	if waitFor(termTime, procs.Childless) != nil {
		_ = syscall.Kill(-1, syscall.SIGKILL)
		_ = waitFor(killTime, procs.Childless)
	}
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
