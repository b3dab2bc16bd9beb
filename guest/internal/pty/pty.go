// Package pty opens pseudo-terminals of the box.
package pty

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
)

// Open gives the two ends of a new terminal from the box's own devpts. The caller closes both. The master can be given
// deadlines; the slave is a plain, blocking descriptor for a child.
func Open(root *inroot.Root, cols, rows uint16) (master *os.File, slave int, err error) {
	fd, err := openMaster(root)
	if err != nil {
		return nil, -1, fmt.Errorf("open /dev/pts/ptmx: %w", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	defer func() {
		if err != nil {
			master.Close()
		}
	}()
	unlock := int32(0)
	if err = sys.Ioctl(fd, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock)); err != nil {
		return nil, -1, fmt.Errorf("unlock terminal: %w", err)
	}
	// TIOCGPTPEER gives the other end without looking up a path that the box could have changed.
	const tiocgptpeer = 0x5441
	sfd, err := sys.IoctlValue(fd, tiocgptpeer, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC)
	if err != nil {
		return nil, -1, fmt.Errorf("open terminal's other end: %w", err)
	}
	if err = expectUTF8(fd); err == nil {
		err = Resize(master, cols, rows)
	}
	if err != nil {
		syscall.Close(sfd)
		return nil, -1, err
	}
	return master, sfd, nil
}

func openMaster(root *inroot.Root) (int, error) {
	const flags = syscall.O_RDWR | syscall.O_NOCTTY | syscall.O_NONBLOCK
	fd, err := root.OpenFD("/dev/pts/ptmx", flags)
	if err == syscall.EACCES || err == syscall.ENOENT {
		fd, err = root.OpenFD("/dev/ptmx", flags)
	}
	return fd, err
}

// expectUTF8 has the terminal take whole characters back where it collects lines, and not bytes of them.
func expectUTF8(fd int) error {
	var t syscall.Termios
	if err := sys.Ioctl(fd, syscall.TCGETS, unsafe.Pointer(&t)); err != nil {
		return fmt.Errorf("look at terminal: %w", err)
	}
	t.Iflag |= syscall.IUTF8
	if err := sys.Ioctl(fd, syscall.TCSETS, unsafe.Pointer(&t)); err != nil {
		return fmt.Errorf("set up terminal: %w", err)
	}
	return nil
}

// Resize sets the size in characters; the programs on the terminal get SIGWINCH.
func Resize(master *os.File, cols, rows uint16) error {
	size := [4]uint16{rows, cols, 0, 0}
	err := control(master, func(fd int) error {
		return sys.Ioctl(fd, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	})
	if err != nil {
		return fmt.Errorf("resize terminal to %dx%d: %w", cols, rows, err)
	}
	return nil
}

// Canonical tells whether the terminal collects lines: then ^D ends the input only at the beginning of one.
func Canonical(master *os.File) bool {
	var t syscall.Termios
	err := control(master, func(fd int) error {
		return sys.Ioctl(fd, syscall.TCGETS, unsafe.Pointer(&t))
	})
	return err == nil && t.Lflag&syscall.ICANON != 0
}

func control(f *os.File, call func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := raw.Control(func(fd uintptr) { result = call(int(fd)) }); err != nil {
		return err
	}
	return result
}
