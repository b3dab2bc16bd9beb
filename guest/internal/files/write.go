package files

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"syscall"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
)

// tempPrefix begins the name of a file that is still being written.
const tempPrefix = ".boxrun-upload-"

func tempName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return tempPrefix + hex.EncodeToString(b[:])
}

// maxLinks is how many symlinks in a row are followed, as in the kernel.
const maxLinks = 40

// place is where a file is to be: a single name in an open directory.
type place struct {
	dir  int // O_PATH
	name string
	old  syscall.Stat_t
	has  bool // old is what is there now
}

// findPlace follows symlinks in path's last name, so that the file is written that a program would write.
// The caller closes dir.
func (f *Files) findPlace(path string, parents *inroot.Owner) (place, error) {
	for range maxLinks {
		dirPath, name := inroot.Split(path)
		if name == "" {
			return place{}, syscall.EISDIR
		}
		dir, err := f.root.MkdirAllAs(dirPath, parents)
		if err != nil {
			return place{}, err
		}
		st, err := sys.Lstatat(dir, name)
		if err == syscall.ENOENT {
			return place{dir: dir, name: name}, nil
		}
		if err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFLNK {
			var target string
			target, err = sys.Readlinkat(dir, name)
			syscall.Close(dir)
			if err != nil {
				return place{}, err
			}
			if !strings.HasPrefix(target, "/") {
				target = dirPath + target
			}
			path = target
			continue
		}
		if err != nil {
			syscall.Close(dir)
			return place{}, err
		}
		return place{dir, name, st, true}, nil
	}
	return place{}, syscall.ELOOP
}

// Write makes path a regular file with the content of body. It is written beside and renamed when complete: a body that
// is cut off leaves nothing, and readers see either the old file or the new one. An existing file keeps its mode and
// owner; mode and owner, if not nil, win over that. New files are 0644.
func (f *Files) Write(path string, mode *uint32, owner *Ownership, body io.Reader) error {
	if err := checkPath("write", path); err != nil {
		return err
	}
	p, err := f.findPlace(path, owner.parents())
	if err == syscall.EISDIR {
		return refuse("write %s: is a directory; name the file in it", path)
	}
	if err != nil {
		return fail("write", path, err)
	}
	defer syscall.Close(p.dir)
	if p.has {
		switch p.old.Mode & syscall.S_IFMT {
		case syscall.S_IFREG:
		case syscall.S_IFDIR:
			return refuse("write %s: is a directory; name the file in it", path)
		default:
			return fail("write", path, inroot.ErrNotRegular)
		}
	}
	attributes := func(fd int) error {
		perm := uint32(0o644)
		own := owner.of(inroot.Owner{}, nil)
		if p.has {
			perm = p.old.Mode & 0o7777
			own = owner.of(inroot.Owner{UID: p.old.Uid, GID: p.old.Gid}, &p.old)
		}
		if os.Geteuid() == 0 {
			if err := syscall.Fchown(fd, int(own.UID), int(own.GID)); err != nil {
				return err
			}
		}
		if mode != nil {
			perm = *mode
		}
		return syscall.Fchmod(fd, perm)
	}
	if err := replace(p.dir, p.name, body, copyAll, attributes); err != nil {
		return fail("write", path, err)
	}
	return nil
}

func copyAll(file *os.File, src io.Reader) error {
	// A body that has its bytes in memory already, in large pieces where it is large.
	if whole, ok := src.(io.WriterTo); ok {
		_, err := whole.WriteTo(&sink{file: file})
		return err
	}
	_, err := copyTo(file, src)
	return err
}

// replace writes body to a new file and renames it over name. attributes is called on the complete file before that.
func replace(
	dir int, name string, body io.Reader, write func(*os.File, io.Reader) error, attributes func(fd int) error,
) (err error) {
	temp := tempName()
	fd, err := sys.Openat(dir, temp, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), temp)
	defer func() {
		file.Close()
		if err != nil {
			_ = sys.Unlinkat(dir, temp, 0)
		}
	}()
	if err = write(file, body); err != nil {
		return err
	}
	if err = attributes(fd); err != nil {
		return err
	}
	// Errors of delayed writing show up here on some file systems (virtiofs).
	if err = file.Close(); err != nil {
		return err
	}
	return syscall.Renameat(dir, temp, dir, name)
}
