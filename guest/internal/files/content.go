package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

const (
	// headSize is how much of every file is read before anything is said of its size: what ends within has exactly that.
	headSize = 64 << 10
	// unsizedLimit bounds files whose size says nothing, in bytes: they are read whole before they are sent.
	unsizedLimit = 32 << 20
)

var errUnsized = fmt.Errorf("it has more than %d MiB, and no size that says how much", unsizedLimit>>20)

// content is what a file holds, and how much that is. Its size alone does not tell: those of /proc say 0, those of /sys 4096. head is a
// buffer of headSize bytes, which the reader may use until it is read.
func content(file *source, st *syscall.Stat_t, head []byte) (io.Reader, int64, error) {
	virtual := isVirtual(file.File)
	if virtual {
		// Some wait for what happens next, such as /proc/kmsg: that is no content.
		_ = syscall.SetNonblock(int(file.Fd()), true)
	}
	n, err := io.ReadFull(file, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return bytes.NewReader(head[:n]), int64(n), nil
	}
	if err != nil {
		return nil, 0, plain(err)
	}
	begun := bytes.NewReader(head[:n])
	if !virtual && st.Size > int64(n) {
		return io.MultiReader(begun, io.LimitReader(file, st.Size-int64(n))), st.Size, nil
	}
	if !virtual && st.Size > 0 && hasGrown(file.File, n) {
		return io.LimitReader(begun, st.Size), st.Size, nil
	}
	rest, err := io.ReadAll(io.LimitReader(file, unsizedLimit-int64(n)+1))
	if err != nil {
		return nil, 0, plain(err)
	}
	size := int64(n + len(rest))
	if size > unsizedLimit {
		return nil, 0, errUnsized
	}
	return io.MultiReader(begun, bytes.NewReader(rest)), size, nil
}

// source is a file that may be read past the page cache.
type source struct {
	*os.File
	direct bool
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.File.Read(p)
	if s.direct && errors.Is(err, syscall.EINVAL) {
		// Its file system can't, or can't do it with what is left of the file: some do neither part of a sector nor what has no sectors.
		s.setDirect(false)
		return s.File.Read(p)
	}
	return n, err
}

// setDirect has the kernel read past the page cache, if it can, or not.
func (s *source) setDirect(direct bool) { s.direct = setDirect(s.File, direct) }

// setDirect has the kernel go past the page cache with file, or not, and says whether it does.
func setDirect(file *os.File, direct bool) bool {
	flags := 0
	if direct {
		flags = syscall.O_DIRECT
	}
	_, _, e := syscall.Syscall(syscall.SYS_FCNTL, file.Fd(), syscall.F_SETFL, uintptr(flags))
	return direct && e == 0
}

// hasGrown says whether a file that had less than n bytes has them now, and is not one whose size says nothing.
func hasGrown(file *os.File, n int) bool {
	var now syscall.Stat_t
	return syscall.Fstat(int(file.Fd()), &now) == nil && now.Size >= int64(n)
}

// isVirtual says whether a file lies on a file system that makes its content up as it is read.
func isVirtual(file *os.File) bool {
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(int(file.Fd()), &st); err != nil {
		return false
	}
	switch uint32(st.Type) {
	case 0x9fa0, // proc
		0x62656572, // sysfs
		0x62656570, // configfs
		0x64626720, // debugfs
		0x74726163, // tracefs
		0x73636673, // securityfs
		0x63677270, // cgroup2
		0x27e0eb,   // cgroup
		0xf97cff8c, // selinuxfs
		0x6165676c, // pstore
		0xde5e81e4: // efivarfs
		return true
	}
	return false
}

// plain is the system call's own error: the path around it is the agent's, and says nothing to anybody.
func plain(err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	if errno == syscall.EAGAIN {
		return errors.New("reading it waits for something to happen")
	}
	return errno
}
