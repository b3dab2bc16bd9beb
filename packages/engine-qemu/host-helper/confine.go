package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// confinement is what a program gives up before it begins, and can't have back.
type confinement struct {
	// uid is the user and group that it becomes; negative: it stays who it is.
	uid    int
	groups []int
	limits map[int]uint64
	// noSpecialFiles: it can make no device node and no setuid or setgid file.
	noSpecialFiles bool
	argv           []string
}

const (
	prSetNoNewPrivs = 38
	prCapBSetDrop   = 24
	rlimitNproc     = 6
	lastCapability  = 63

	capabilityVersion3 = 0x20080522
)

// readConfinement reads the arguments of `boxrun-host confine`.
func readConfinement(args []string) (confinement, error) {
	c := confinement{uid: -1, limits: map[int]uint64{}}
	flags := flag.NewFlagSet("confine", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	limit := func(name string, resource int) {
		flags.Func(name, "", func(text string) error {
			value, err := strconv.ParseUint(text, 10, 63)
			c.limits[resource] = value
			return err
		})
	}
	limit("files", syscall.RLIMIT_NOFILE)
	limit("processes", rlimitNproc)
	limit("data-bytes", syscall.RLIMIT_DATA)
	flags.IntVar(&c.uid, "uid", -1, "")
	flags.BoolVar(&c.noSpecialFiles, "no-special-files", false, "")
	flags.Func("group", "", func(text string) error {
		group, err := strconv.Atoi(text)
		c.groups = append(c.groups, group)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	c.argv = flags.Args()
	if len(c.argv) == 0 || !strings.HasPrefix(c.argv[0], "/") {
		return c, fmt.Errorf("no absolute path of a program to confine")
	}
	return c, nil
}

// runConfined becomes the program, without a new process, and returns only if it can't.
func runConfined(c confinement) error {
	// What the kernel keeps for each thread must be that of the one that becomes the program.
	runtime.LockOSThread()
	// A core file would hold the guest's memory.
	c.limits[syscall.RLIMIT_CORE] = 0
	for resource, value := range c.limits {
		limit := syscall.Rlimit{Cur: value, Max: value}
		if resource == syscall.RLIMIT_NOFILE {
			var now syscall.Rlimit
			if err := syscall.Getrlimit(resource, &now); err == nil && now.Max < value {
				limit = syscall.Rlimit{Cur: now.Max, Max: now.Max}
			}
		}
		if err := syscall.Setrlimit(resource, &limit); err != nil {
			return fmt.Errorf("limit resource %d to %d: %w", resource, value, err)
		}
	}
	if c.uid >= 0 {
		if err := becomeUser(c.uid, c.groups); err != nil {
			return err
		}
	}
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("give up new privileges: %w", errno)
	}
	if c.noSpecialFiles {
		if err := installFilter(specialFilesFilter()); err != nil {
			return err
		}
	}
	return fmt.Errorf("run %s: %w", c.argv[0], syscall.Exec(c.argv[0], c.argv, os.Environ()))
}

// becomeUser gives up root and every capability for good.
func becomeUser(uid int, groups []int) error {
	for capability := uintptr(0); capability <= lastCapability; capability++ {
		// Beyond the kernel's last one, and without CAP_SETPCAP, it fails; no_new_privs makes the set useless in any case.
		syscall.RawSyscall6(syscall.SYS_PRCTL, prCapBSetDrop, capability, 0, 0, 0, 0)
	}
	// Only a program with capabilities in its file would inherit them; there is none in a jail.
	header := [2]uint32{capabilityVersion3, 0}
	var sets [6]uint32
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets)), 0); errno == 0 {
		const inheritable = 2
		sets[inheritable], sets[3+inheritable] = 0, 0
		syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets)), 0)
	}
	if err := syscall.Setgroups(groups); err != nil {
		return fmt.Errorf("leave root's groups: %w", err)
	}
	if err := syscall.Setresgid(uid, uid, uid); err != nil {
		return fmt.Errorf("become group %d: %w", uid, err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("become user %d: %w", uid, err)
	}
	return nil
}

func installFilter(program []syscall.SockFilter) error {
	prog := syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	const prSetSeccomp, seccompModeFilter = 22, 2
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetSeccomp, seccompModeFilter, uintptr(unsafe.Pointer(&prog)), 0, 0, 0)
	runtime.KeepAlive(program)
	if errno != 0 {
		return fmt.Errorf("install the system call filter: %w", errno)
	}
	return nil
}
