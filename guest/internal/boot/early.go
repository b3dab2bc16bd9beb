// Package boot is the agent as PID 1: from the initramfs to a box that is set up, and to the VM's end.
//
//	/            initramfs: the agent as /init, /modules; never visible in the box
//	/proc /sys   for the agent; cgroup2 on /sys/fs/cgroup
//	/mnt/image   the image's read-only squashfs
//	/mnt/disk    the box's own ext4, with upper/ and work/
//	/box         both joined by overlayfs: the box's root
package boot

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// PortName is the virtio-serial port on which the host speaks.
const PortName = "boxrun.agent"

// maxFiles is the hard limit of open files for the agent and the box, and the agent's soft one. The box's soft limit is 1024, as
// select(2) and programs that close all descriptors one by one expect.
const maxFiles = 1 << 20

// RaiseLimits starts the agent once more if the limits that children inherit are the kernel's, because package syscall
// reads them when a program starts, raises its own soft limit to the hard one, and gives the old soft one to children.
// What calmRuntime says is read then, too.
func RaiseLimits() {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil || now.Max >= maxFiles {
		return
	}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 1024, Max: maxFiles}) != nil {
		return
	}
	_ = syscall.Exec(os.Args[0], os.Args, append(os.Environ(), calmRuntime))
}

type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

func (m mount) do() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", m.target, err)
	}
	err := syscall.Mount(m.source, m.target, m.kind, m.flags, m.data)
	if err != nil && err != syscall.EBUSY { // the kernel may have mounted /dev itself
		return fmt.Errorf("mount %s on %s: %w", m.kind, m.target, err)
	}
	return nil
}

const quiet = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC

// Early mounts the agent's own file systems and loads the modules without which the host cannot be heard: those in
// /modules/early, one path per line in order, then those of the kernel's argument boxrun.modules=path,path.
func Early() error {
	syscall.Umask(0o022)
	for _, m := range []mount{
		{"proc", "/proc", "proc", quiet, ""},
		{"sysfs", "/sys", "sysfs", quiet, ""},
		{"devtmpfs", "/dev", "devtmpfs", syscall.MS_NOSUID, "mode=0755"},
		{"cgroup2", "/sys/fs/cgroup", "cgroup2", quiet, ""},
	} {
		if err := m.do(); err != nil {
			return err
		}
	}
	limitMemory()
	calmMonitor()
	var modules []string
	if text, err := os.ReadFile("/modules/early"); err == nil {
		modules = strings.Fields(string(text))
	}
	if more := kernelArgument("boxrun.modules"); more != "" {
		modules = append(modules, strings.Split(more, ",")...)
	}
	if err := LoadModules(modules); err != nil {
		return err
	}
	return loopbackUp()
}

// limitMemory makes the collector work harder rather than take more than an eighth of the VM's memory.
func limitMemory() {
	debug.SetMemoryLimit(max(totalMemory()/8, 24<<20))
}

// kernelArgument gives the value of name=value on the kernel's command line, or "".
func kernelArgument(name string) string {
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return ""
	}
	for _, word := range strings.Fields(string(text)) {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			return value
		}
	}
	return ""
}

// FindPort gives the device of the port called PortName. The driver makes it a moment after its module was loaded.
func FindPort() (string, error) {
	var device string
	err := waitFor(20*time.Second, func() bool {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err == nil && strings.TrimSpace(string(text)) == PortName {
				device = "/dev/" + filepath.Base(filepath.Dir(name))
				_, err := os.Stat(device)
				return err == nil
			}
		}
		return false
	})
	if err != nil {
		return "", fmt.Errorf("find virtio port %s: %w", PortName, err)
	}
	return device, nil
}

// waitFor asks again and again, after 1 ms at first, at last every 20 ms.
func waitFor(limit time.Duration, done func() bool) error {
	end := time.Now().Add(limit)
	for pause := time.Millisecond; !done(); pause = min(2*pause, 20*time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("not there after %v", limit)
		}
		time.Sleep(pause)
	}
	return nil
}
