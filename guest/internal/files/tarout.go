package files

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"sort"
	"syscall"
	"time"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
)

// Archive is a path opened to be written as a tar stream.
type Archive struct {
	dir    *os.File // the directory itself, or nil
	parent int      // or the directory that has the file, and
	name   string   // its name
}

// OpenTar opens what GET /tar sends: a directory's content, or one file, symlinks followed.
func (f *Files) OpenTar(path string) (*Archive, error) {
	if err := checkPath("tar", path); err != nil {
		return nil, err
	}
	dir, err := f.openDirectory(path)
	if err == nil {
		return &Archive{dir: dir, parent: -1}, nil
	}
	if err != syscall.ENOTDIR {
		return nil, fail("tar", path, err)
	}
	_, name := inroot.Split(path)
	if name == "" {
		return nil, fail("tar", path, err)
	}
	fd, err := f.root.OpenFD(path, sys.OPath)
	if err != nil {
		return nil, fail("tar", path, err)
	}
	return &Archive{parent: fd, name: name}, nil
}

// Close closes what is open.
func (a *Archive) Close() error {
	if a.dir != nil {
		return a.dir.Close()
	}
	return syscall.Close(a.parent)
}

// Write writes the stream. A file that vanishes meanwhile is left out; one that grows is cut, and one that shrinks is
// filled with zeros, so that the stream stays readable.
func (a *Archive) Write(w io.Writer) error {
	out := &tarWriter{tar: tar.NewWriter(w), seen: map[inode]string{}}
	var err error
	if a.dir != nil {
		err = out.directory(a.dir, "")
	} else {
		err = out.opened(a.parent, a.name)
	}
	if err != nil {
		return err
	}
	return out.tar.Close()
}

type inode struct{ dev, ino uint64 }

type tarWriter struct {
	tar  *tar.Writer
	seen map[inode]string // files with several names: the name under which the content went out
}

// directory writes the content of d; prefix is "" or ends in a slash.
func (t *tarWriter) directory(d *os.File, prefix string) error {
	names, err := d.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("tar: read directory /%s: %w", prefix, err)
	}
	sort.Strings(names)
	for _, name := range names {
		fd, err := sys.Openat(int(d.Fd()), name, sys.OPath|syscall.O_NOFOLLOW, 0)
		if err == syscall.ENOENT {
			continue
		}
		if err != nil {
			return fmt.Errorf("tar: open /%s%s: %w", prefix, name, err)
		}
		err = t.opened(fd, prefix+name)
		syscall.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// opened writes what an O_PATH descriptor stands for.
func (t *tarWriter) opened(fd int, name string) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return fmt.Errorf("tar: stat /%s: %w", name, err)
	}
	h := &tar.Header{
		Name:    name,
		Mode:    int64(st.Mode & 0o7777),
		Uid:     int(st.Uid),
		Gid:     int(st.Gid),
		ModTime: time.Unix(int64(st.Mtim.Sec), 0),
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		return t.regular(fd, h, &st)
	case syscall.S_IFDIR:
		return t.subdirectory(fd, h)
	case syscall.S_IFLNK:
		target, err := sys.Readlinkat(fd, "")
		if err != nil {
			return fmt.Errorf("tar: read link /%s: %w", name, err)
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, target
	case syscall.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case syscall.S_IFCHR, syscall.S_IFBLK:
		h.Typeflag = tar.TypeChar
		if st.Mode&syscall.S_IFMT == syscall.S_IFBLK {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = splitDevice(uint64(st.Rdev))
	default:
		return nil // a socket means nothing elsewhere
	}
	return t.header(h)
}

func (t *tarWriter) header(h *tar.Header) error {
	if err := t.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("tar: /%s: %w", h.Name, err)
	}
	return nil
}

func (t *tarWriter) subdirectory(fd int, h *tar.Header) error {
	h.Typeflag = tar.TypeDir
	name := h.Name + "/"
	h.Name = name
	if err := t.header(h); err != nil {
		return err
	}
	rfd, err := sys.Reopen(fd, syscall.O_RDONLY|syscall.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("tar: open directory /%s: %w", name, err)
	}
	d := os.NewFile(uintptr(rfd), name)
	defer d.Close()
	return t.directory(d, name)
}

func (t *tarWriter) regular(fd int, h *tar.Header, st *syscall.Stat_t) error {
	key := inode{uint64(st.Dev), st.Ino}
	if st.Nlink > 1 {
		if first, ok := t.seen[key]; ok {
			h.Typeflag, h.Linkname = tar.TypeLink, first
			return t.header(h)
		}
	}
	file, now, err := inroot.ReopenRegular(fd, h.Name)
	if err != nil {
		return fmt.Errorf("tar: open /%s: %w", h.Name, err)
	}
	defer file.Close()
	h.Typeflag, h.Size = tar.TypeReg, now.Size
	name := h.Name
	if err := t.header(h); err != nil {
		return err
	}
	n, err := copyTo(t.tar, io.LimitReader(file, h.Size))
	if err != nil {
		return fmt.Errorf("tar: read /%s: %w", name, err)
	}
	if n < h.Size {
		if _, err := copyTo(t.tar, io.LimitReader(zeros{}, h.Size-n)); err != nil {
			return fmt.Errorf("tar: fill /%s: %w", name, err)
		}
	}
	if st.Nlink > 1 {
		t.seen[key] = name
	}
	return nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Device numbers as in glibc's gnu_dev_major and its kin.
func splitDevice(d uint64) (major, minor int64) {
	return int64(d>>8&0xfff | d>>32&^0xfff), int64(d&0xff | d>>12&^0xff&0xffffffff)
}

func joinDevice(major, minor int64) int {
	a, i := uint64(major), uint64(minor)
	return int(a&0xfff<<8 | a&^0xfff<<32 | i&0xff | i&^0xff<<12)
}
