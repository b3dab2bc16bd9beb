// Package sys wraps the system calls that the standard library does not offer. Nothing else is done here.
package sys

import (
	"strconv"
	"syscall"
	"unsafe"
)

// Constants that package syscall lacks; they are the same on amd64 and arm64.
const (
	OPath             = 0x200000
	AtSymlinkNofollow = 0x100
	AtEmptyPath       = 0x1000
	AtRemoveDir       = 0x200
	AtFDCWD           = -100

	resolveNoMagicLinks = 0x02
	resolveInRoot       = 0x10

	openTreeClone      = 0x01
	moveMountEmptyFrom = 0x04
	moveMountEmptyTo   = 0x40

	sysOpenTree  = 428
	sysMoveMount = 429
	sysOpenat2   = 437
)

// Retry calls f until it is not interrupted by a signal.
func Retry(f func() error) error {
	for {
		if err := f(); err != syscall.EINTR {
			return err
		}
	}
}

type openHow struct{ flags, mode, resolve uint64 }

// OpenInRoot opens path as if dirfd were the root directory: neither "..", nor absolute symlinks, nor a race against a
// rename leave it. Links of /proc to open files are not followed.
func OpenInRoot(dirfd int, path string, flags int, mode uint32) (int, error) {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return -1, err
	}
	how := openHow{uint64(flags | syscall.O_CLOEXEC), uint64(mode), resolveInRoot | resolveNoMagicLinks}
	for try := 0; ; try++ {
		fd, _, e := syscall.Syscall6(sysOpenat2, uintptr(dirfd), uintptr(unsafe.Pointer(p)),
			uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
		// The kernel answers EAGAIN when ".." raced with a rename somewhere in the system.
		if e == syscall.EINTR || (e == syscall.EAGAIN && try < 64) {
			continue
		}
		if e != 0 {
			return -1, e
		}
		return int(fd), nil
	}
}

// OpenTree holds a copy of what is mounted at path, mounted nowhere itself: open_tree(2).
func OpenTree(path string) (int, error) {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return -1, err
	}
	at := AtFDCWD
	fd, _, e := syscall.Syscall(sysOpenTree, uintptr(at), uintptr(unsafe.Pointer(p)), openTreeClone|syscall.O_CLOEXEC)
	if e != 0 {
		return -1, e
	}
	return int(fd), nil
}

// MoveMount mounts what OpenTree gave on a directory: move_mount(2).
func MoveMount(tree, dirfd int) error {
	var empty [1]byte
	_, _, e := syscall.Syscall6(sysMoveMount, uintptr(tree), uintptr(unsafe.Pointer(&empty)),
		uintptr(dirfd), uintptr(unsafe.Pointer(&empty)), moveMountEmptyFrom|moveMountEmptyTo, 0)
	if e != 0 {
		return e
	}
	return nil
}

// FDPath names an open file through the agent's own /proc.
func FDPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// Reopen opens anew, with other flags, the very file that an O_PATH descriptor stands for.
func Reopen(fd, flags int) (int, error) {
	var out int
	err := Retry(func() (err error) {
		out, err = syscall.Open(FDPath(fd), flags|syscall.O_CLOEXEC, 0)
		return err
	})
	return out, err
}

// Openat is openat(2), retried on EINTR, with O_CLOEXEC.
func Openat(dirfd int, name string, flags int, mode uint32) (int, error) {
	var fd int
	err := Retry(func() (err error) {
		fd, err = syscall.Openat(dirfd, name, flags|syscall.O_CLOEXEC, mode)
		return err
	})
	return fd, err
}

// Dup is dup(2) with O_CLOEXEC.
func Dup(fd int) (int, error) {
	const dupCloexec = 1030 // F_DUPFD_CLOEXEC
	out, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), dupCloexec, 0)
	if e != 0 {
		return -1, e
	}
	return int(out), nil
}

// SetTimerSlack sets by how many nanoseconds the calling thread's sleeps may be longer than asked for, and its children's: a child
// begins with its parent's.
func SetTimerSlack(ns uintptr) error {
	const setTimerSlack = 29 // PR_SET_TIMERSLACK
	if _, _, e := syscall.Syscall(syscall.SYS_PRCTL, setTimerSlack, ns, 0); e != 0 {
		return e
	}
	return nil
}

// Lstatat is fstatat(2) without following a final symlink.
func Lstatat(dirfd int, name string) (syscall.Stat_t, error) {
	var st syscall.Stat_t
	err := fstatat(dirfd, name, &st, AtSymlinkNofollow)
	return st, err
}

// Readlinkat is readlinkat(2); name "" reads the link that an O_PATH descriptor stands for.
func Readlinkat(dirfd int, name string) (string, error) {
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return "", err
	}
	buf := make([]byte, 4096)
	n, _, e := syscall.Syscall6(syscall.SYS_READLINKAT, uintptr(dirfd), uintptr(unsafe.Pointer(p)),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	if e != 0 {
		return "", e
	}
	return string(buf[:n]), nil
}

func twoPaths(trap uintptr, fd1 int, a string, fd2 int, b string, flags int) error {
	pa, err := syscall.BytePtrFromString(a)
	if err != nil {
		return err
	}
	pb, err := syscall.BytePtrFromString(b)
	if err != nil {
		return err
	}
	_, _, e := syscall.Syscall6(trap, uintptr(fd1), uintptr(unsafe.Pointer(pa)), uintptr(fd2),
		uintptr(unsafe.Pointer(pb)), uintptr(flags), 0)
	if e != 0 {
		return e
	}
	return nil
}

// Linkat makes a hard link to a file, or to a symlink itself.
func Linkat(oldfd int, oldName string, newfd int, newName string) error {
	return twoPaths(syscall.SYS_LINKAT, oldfd, oldName, newfd, newName, 0)
}

// Renameat is renameat(2): what is at newName is replaced.
func Renameat(oldfd int, oldName string, newfd int, newName string) error {
	return twoPaths(sysRenameat2, oldfd, oldName, newfd, newName, 0)
}

// RenameatNew is renameat2(2) that replaces nothing: EEXIST if anything is at newName.
func RenameatNew(oldfd int, oldName string, newfd int, newName string) error {
	const noReplace = 1 // RENAME_NOREPLACE
	return twoPaths(sysRenameat2, oldfd, oldName, newfd, newName, noReplace)
}

// Symlinkat makes a symlink with the given text.
func Symlinkat(target string, dirfd int, name string) error {
	pt, err := syscall.BytePtrFromString(target)
	if err != nil {
		return err
	}
	pn, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	_, _, e := syscall.Syscall(syscall.SYS_SYMLINKAT, uintptr(unsafe.Pointer(pt)), uintptr(dirfd), uintptr(unsafe.Pointer(pn)))
	if e != 0 {
		return e
	}
	return nil
}

// Unlinkat removes a name; flags is 0 or AtRemoveDir.
func Unlinkat(dirfd int, name string, flags int) error {
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	_, _, e := syscall.Syscall(syscall.SYS_UNLINKAT, uintptr(dirfd), uintptr(unsafe.Pointer(p)), uintptr(flags))
	if e != 0 {
		return e
	}
	return nil
}

// Utimesat sets a file's modification and access time without following a final symlink; seconds and nanoseconds.
func Utimesat(dirfd int, name string, sec, nsec int64) error {
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	ts := [2]syscall.Timespec{{Sec: sec, Nsec: nsec}, {Sec: sec, Nsec: nsec}}
	_, _, e := syscall.Syscall6(syscall.SYS_UTIMENSAT, uintptr(dirfd), uintptr(unsafe.Pointer(p)),
		uintptr(unsafe.Pointer(&ts)), AtSymlinkNofollow, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// Futimens sets an open file's modification and access time; seconds and nanoseconds.
func Futimens(fd int, sec, nsec int64) error {
	ts := [2]syscall.Timespec{{Sec: sec, Nsec: nsec}, {Sec: sec, Nsec: nsec}}
	_, _, e := syscall.Syscall6(syscall.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// Ioctl is ioctl(2) with a pointer argument.
func Ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	if e != 0 {
		return e
	}
	return nil
}

// IoctlValue is ioctl(2) with a plain number as its argument; it gives the call's result.
func IoctlValue(fd int, request, arg uintptr) (int, error) {
	r, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, arg)
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}

// LoadModule is finit_module(2) with no parameters; flags as the kernel's.
func LoadModule(fd, flags int) error {
	params := []byte{0}
	_, _, e := syscall.Syscall(sysFinitModule, uintptr(fd), uintptr(unsafe.Pointer(&params[0])), uintptr(flags))
	if e != 0 {
		return e
	}
	return nil
}
