// Package inroot finds files of the box by path, the way a program inside the box would, and never outside its root:
// each lookup is one openat2(2) with RESOLVE_IN_ROOT, and everything after it works on descriptors, so that a program
// that swaps symlinks meanwhile gains nothing.
package inroot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"boxrun.dev/guest/internal/sys"
)

// Root is the box's root directory, held open.
type Root struct {
	fd   int
	path string
}

// Open opens a directory as a root.
func Open(path string) (*Root, error) {
	fd, err := syscall.Open(path, sys.OPath|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open root %s: %w", path, err)
	}
	return &Root{fd: fd, path: path}, nil
}

// Path is the root as the agent sees it, for chroot(2).
func (r *Root) Path() string { return r.path }

// Close lets the root go, so that it can be unmounted.
func (r *Root) Close() error { return syscall.Close(r.fd) }

// OpenFD opens path in the root; the caller closes the descriptor.
func (r *Root) OpenFD(path string, flags int) (int, error) {
	return sys.OpenInRoot(r.fd, path, flags, 0)
}

// Stat follows symlinks within the root.
func (r *Root) Stat(path string) (syscall.Stat_t, error) {
	var st syscall.Stat_t
	fd, err := r.OpenFD(path, sys.OPath)
	if err != nil {
		return st, err
	}
	defer syscall.Close(fd)
	return st, syscall.Fstat(fd, &st)
}

// OpenRegular opens a regular file for reading; a fifo or a device is refused with ErrNotRegular and never opened, because
// opening one can block or act. A directory gives EISDIR.
func (r *Root) OpenRegular(path string) (*os.File, syscall.Stat_t, error) {
	var st syscall.Stat_t
	fd, err := r.OpenFD(path, sys.OPath)
	if err != nil {
		return nil, st, err
	}
	defer syscall.Close(fd)
	return ReopenRegular(fd, path)
}

// ErrNotRegular says that a path is neither a regular file nor a directory.
var ErrNotRegular = errors.New("not a regular file")

// ReopenRegular is OpenRegular for a file already found, given as an O_PATH descriptor, which stays open.
func ReopenRegular(fd int, name string) (*os.File, syscall.Stat_t, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return nil, st, err
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
	case syscall.S_IFDIR:
		return nil, st, syscall.EISDIR
	default:
		return nil, st, ErrNotRegular
	}
	rfd, err := sys.Reopen(fd, syscall.O_RDONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK)
	if err != nil {
		return nil, st, err
	}
	// Regular files are not pollable: os.NewFile would take O_NONBLOCK as a wish to poll.
	_ = syscall.SetNonblock(rfd, false)
	return os.NewFile(uintptr(rfd), name), st, nil
}

// ReadSmall reads a configuration file of the box, at most limit bytes of it.
func (r *Root) ReadSmall(path string, limit int64) ([]byte, error) {
	f, _, err := r.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// MkdirAll opens a directory, and makes it and its parents (mode 0755, of the agent's user) where missing.
// The caller closes the O_PATH descriptor.
func (r *Root) MkdirAll(path string) (int, error) {
	return r.MkdirAllAs(path, nil)
}

// Owner is whose a file is.
type Owner struct{ UID, GID uint32 }

// MkdirAllAs is MkdirAll, and what it makes is given to owner, if there is one.
func (r *Root) MkdirAllAs(path string, owner *Owner) (int, error) {
	fd, err := r.OpenFD(path, sys.OPath|syscall.O_DIRECTORY)
	if err != syscall.ENOENT {
		return fd, err
	}
	parent, err := sys.Dup(r.fd)
	if err != nil {
		return -1, err
	}
	prefix := ""
	for _, name := range strings.Split(path, "/") {
		if name == "" || name == "." {
			continue
		}
		// Each prefix is looked up from the root, and not from its parent's descriptor: only so do ".." and symlinks mean
		// what they mean inside.
		prefix += "/" + name
		next, err := r.OpenFD(prefix, sys.OPath|syscall.O_DIRECTORY)
		if err == syscall.ENOENT {
			err = syscall.Mkdirat(parent, name, 0o755)
			made := err == nil
			if made || err == syscall.EEXIST {
				next, err = r.OpenFD(prefix, sys.OPath|syscall.O_DIRECTORY)
			}
			if made && err == nil && owner != nil {
				if err = syscall.Fchownat(parent, name, int(owner.UID), int(owner.GID), sys.AtSymlinkNofollow); err != nil {
					syscall.Close(next)
				}
			}
		}
		syscall.Close(parent)
		if err != nil {
			return -1, err
		}
		parent = next
	}
	return parent, nil
}

// Split cuts a path into its directory and its last name. The name is empty if the path can only mean a directory: "/",
// or an end in "/", "/." or "/..".
func Split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	dir, name = path[:i+1], path[i+1:]
	if name == "." || name == ".." {
		return path, ""
	}
	return dir, name
}
