// Package files reads and changes the box's files for the host. Paths are absolute paths of the box and are looked up by
// package inroot; after that everything works on descriptors of directories and single names in them.
package files

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/wire"
)

// Files is the box's file system.
type Files struct {
	root *inroot.Root
}

// New works below root.
func New(root *inroot.Root) *Files { return &Files{root: root} }

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// copyTo is io.Copy with a pooled buffer of 64 KiB, and without the shortcuts that would allocate one.
func copyTo(dst io.Writer, src io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, *buf)
}

// checkPath wants an absolute path without zero bytes.
func checkPath(operation, path string) error {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "\x00") {
		return refuse("%s %q: not an absolute path", operation, path)
	}
	return nil
}

func refuse(format string, args ...any) error {
	return &wire.Error{Code: wire.BadRequest, Message: fmt.Sprintf(format, args...)}
}

// fail makes an error of a system call into an answer: what is missing is NOT_FOUND, what the path's shape makes
// impossible is BAD_REQUEST, the rest is IO.
func fail(operation, path string, err error) error {
	var already *wire.Error
	if errors.As(err, &already) {
		return err
	}
	code := wire.IO
	var errno syscall.Errno
	if errors.As(err, &errno) {
		switch errno {
		case syscall.ENOENT:
			code = wire.NotFound
		case syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL:
			code = wire.BadRequest
		}
	} else if errors.Is(err, inroot.ErrNotRegular) {
		code = wire.BadRequest
	}
	return &wire.Error{Code: code, Message: fmt.Sprintf("%s %s: %v", operation, wire.Text(path), err)}
}
