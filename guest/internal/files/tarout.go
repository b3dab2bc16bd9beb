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
	image  *imageRules
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
// filled with zeros, so that the stream stays readable. What cannot be read ends it.
//
// full: as docs/guest-protocol.md says of it, for who asks for more than any reader of tars understands. What cannot be read, or has shrunk,
// is named there, and the stream goes on.
func (a *Archive) Write(w io.Writer, full bool) error {
	out := &tarWriter{tar: tar.NewWriter(w), out: w, full: full, seen: map[inode]string{}, head: make([]byte, headSize)}
	out.image = a.image
	var err error
	if a.dir != nil {
		if full {
			err = out.itself(a.dir)
		}
		if err == nil {
			err = out.directory(a.dir, "")
		}
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
	out  io.Writer // what tar writes to
	full bool
	seen map[inode]string // files with several names: the name under which the content went out
	head []byte           // a buffer for content

	image *imageRules // or nil
}

// itself writes the attributes of the directory whose content follows.
func (t *tarWriter) itself(d *os.File) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(d.Fd()), &st); err != nil {
		return fmt.Errorf("tar: stat: %w", err)
	}
	h := t.describe("./", &st)
	h.Typeflag = tar.TypeDir
	if err := t.attributes(int(d.Fd()), h); err != nil {
		return err
	}
	return t.header(h)
}

// directory writes the content of d; prefix is "" or ends in a slash.
func (t *tarWriter) directory(d *os.File, prefix string) error {
	names, err := d.Readdirnames(-1)
	if err != nil {
		if err := t.unreadable(prefix, "read directory", err); err != nil {
			return err
		}
	}
	sort.Strings(names)
	for _, name := range names {
		if t.image.leavesOut(prefix + name) {
			continue
		}
		fd, err := sys.Openat(int(d.Fd()), name, sys.OPath|syscall.O_NOFOLLOW, 0)
		if err != nil {
			if err := t.unreadable(prefix+name, "open", err); err != nil {
				return err
			}
			continue
		}
		err = t.opened(fd, prefix+name)
		syscall.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// unreadable tells of what is missing in the stream, or ends it. What has vanished meanwhile was not there.
func (t *tarWriter) unreadable(name, operation string, err error) error {
	err = plain(err)
	if err == syscall.ENOENT || err == syscall.ESRCH {
		return nil
	}
	if !t.full || t.image != nil {
		return fmt.Errorf("tar: %s /%s: %w", operation, name, err)
	}
	return t.complain(name, operation+": "+err.Error())
}

// The records of what is wrong with an entry, in a header of its own, of the kind that applies to all that follows: readers take no notice.
const (
	complaintPath   = "BOXRUN.incomplete.path"
	complaintReason = "BOXRUN.incomplete.reason"
)

func (t *tarWriter) complain(name, reason string) error {
	return t.header(&tar.Header{
		Typeflag:   tar.TypeXGlobalHeader,
		Name:       "incomplete",
		PAXRecords: map[string]string{complaintPath: name, complaintReason: reason},
	})
}

func (t *tarWriter) describe(name string, st *syscall.Stat_t) *tar.Header {
	h := &tar.Header{
		Name:    name,
		Mode:    int64(st.Mode & 0o7777),
		Uid:     int(st.Uid),
		Gid:     int(st.Gid),
		ModTime: time.Unix(int64(st.Mtim.Sec), 0),
	}
	if t.full {
		h.ModTime = time.Unix(int64(st.Mtim.Sec), int64(st.Mtim.Nsec))
		h.Format = tar.FormatPAX
	}
	return h
}

// opened writes what an O_PATH descriptor stands for.
func (t *tarWriter) opened(fd int, name string) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return t.unreadable(name, "stat", err)
	}
	h := t.describe(name, &st)
	if err := t.attributes(fd, h); err != nil {
		return t.unreadable(name, "read attributes", err)
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		return t.regular(fd, h, &st)
	case syscall.S_IFDIR:
		return t.subdirectory(fd, h)
	case syscall.S_IFLNK:
		target, err := sys.Readlinkat(fd, "")
		if err != nil {
			return t.unreadable(name, "read link", err)
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
		return t.unreadable(name, "open directory", err)
	}
	d := os.NewFile(uintptr(rfd), name)
	defer d.Close()
	return t.directory(d, name)
}

func (t *tarWriter) regular(fd int, h *tar.Header, st *syscall.Stat_t) error {
	key := inode{uint64(st.Dev), st.Ino}
	if st.Nlink > 1 {
		if first, ok := t.seen[key]; ok {
			h.Typeflag, h.Linkname, h.PAXRecords = tar.TypeLink, first, nil
			return t.header(h)
		}
	}
	name := h.Name
	file, now, err := inroot.ReopenRegular(fd, name)
	if err != nil {
		return t.unreadable(name, "open", err)
	}
	defer file.Close()
	h.Typeflag = tar.TypeReg
	var cut bool
	if holes := t.extents(file, &now); holes != nil {
		h.Size = now.Size
		cut, err = t.sparse(file, h, holes)
	} else {
		var from io.Reader
		if from, h.Size, err = content(&source{File: file}, &now, t.head); err != nil {
			return t.unreadable(name, "read", err)
		}
		cut, err = t.whole(from, h)
	}
	if err != nil {
		return err
	}
	if st.Nlink > 1 {
		t.seen[key] = name
	}
	if cut && t.image != nil {
		return fmt.Errorf("tar: read /%s: it can't be read to its end", name)
	}
	if cut && t.full {
		return t.complain(name, "it became shorter, or unreadable, while it was read, and is filled up with zeros")
	}
	return nil
}

func (t *tarWriter) extents(file *os.File, st *syscall.Stat_t) []extent {
	// sqfstar (4.5.1), which unpacks images, takes some maps of holes for damage; it finds blocks of zeros by itself.
	if !t.full || t.image != nil || isVirtual(file) {
		return nil
	}
	return extents(file, st)
}

// whole writes a file with all of its zeros; cut says that there was less of it than its header says.
func (t *tarWriter) whole(from io.Reader, h *tar.Header) (cut bool, err error) {
	name, size := h.Name, h.Size
	if err := t.header(h); err != nil {
		return false, err
	}
	return fill(t.tar, name, from, size)
}

// sparse writes a file's data alone.
func (t *tarWriter) sparse(file *os.File, h *tar.Header, data []extent) (cut bool, err error) {
	if err := t.tar.Flush(); err != nil {
		return false, err
	}
	list := sparseMap(data, h.Size)
	archived := int64(len(list))
	for _, e := range data {
		archived += e.length
	}
	if _, err := t.out.Write(append(sparseHeader(h, archived), list...)); err != nil {
		return false, err
	}
	for _, e := range data {
		short, err := fill(t.out, h.Name, io.NewSectionReader(file, e.offset, e.length), e.length)
		if err != nil {
			return false, err
		}
		cut = cut || short
	}
	_, err = t.out.Write(make([]byte, padding(archived)))
	return cut, err
}

// fill writes exactly so much, with zeros for what is not there; short says that there were some.
func fill(w io.Writer, name string, from io.Reader, size int64) (short bool, err error) {
	in := &readFailure{reader: from}
	n, err := copyTo(w, io.LimitReader(in, size))
	if err != nil && in.err == nil {
		return false, fmt.Errorf("tar: write /%s: %w", name, err)
	}
	if n == size {
		return false, nil
	}
	if _, err := copyTo(w, io.LimitReader(zeros{}, size-n)); err != nil {
		return true, fmt.Errorf("tar: fill /%s: %w", name, err)
	}
	return true, nil
}

// readFailure remembers that it was the reading that failed.
type readFailure struct {
	reader io.Reader
	err    error
}

func (r *readFailure) Read(p []byte) (int, error) {
	n, err := r.reader.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
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
