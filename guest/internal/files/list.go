package files

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"syscall"

	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

// Listing is an opened directory and the names in it.
type Listing struct {
	dir   *os.File
	names []string
}

// List opens a directory. The caller closes the listing.
func (f *Files) List(path string) (*Listing, error) {
	if err := checkPath("list", path); err != nil {
		return nil, err
	}
	dir, err := f.openDirectory(path)
	if err != nil {
		return nil, fail("list", path, err)
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		dir.Close()
		return nil, fail("list", path, err)
	}
	sort.Strings(names)
	return &Listing{dir, names}, nil
}

// openDirectory looks before it opens, so that a device is not opened by mistake.
func (f *Files) openDirectory(path string) (*os.File, error) {
	fd, err := f.root.OpenFD(path, sys.OPath|syscall.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	rfd, err := sys.Reopen(fd, syscall.O_RDONLY|syscall.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(rfd), path), nil
}

// Close closes the directory.
func (l *Listing) Close() error { return l.dir.Close() }

// WriteJSON writes {"entries": […]}, sorted by name, entry by entry: a directory can be larger than the memory to hold
// the answer. Names that vanish meanwhile are left out.
func (l *Listing) WriteJSON(w io.Writer) error {
	if _, err := io.WriteString(w, `{"entries":[`); err != nil {
		return err
	}
	separator := ""
	for _, name := range l.names {
		entry, ok := describe(int(l.dir.Fd()), name)
		if !ok {
			continue
		}
		text, err := json.Marshal(entry)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s%s", separator, text); err != nil {
			return err
		}
		separator = ","
	}
	_, err := io.WriteString(w, "]}")
	return err
}

func describe(dir int, name string) (wire.Entry, bool) {
	st, err := sys.Lstatat(dir, name)
	if err != nil {
		return wire.Entry{}, false
	}
	e := entryOf(st)
	e.Name, e.NameB64 = wire.TextOrBytes(name)
	if e.Type == "symlink" {
		target, err := sys.Readlinkat(dir, name)
		if err != nil {
			return wire.Entry{}, false
		}
		e.Target, e.TargetB64 = wire.TextOrBytes(target)
	}
	return e, true
}

// entryOf is what a file's attributes say.
func entryOf(st syscall.Stat_t) wire.Entry {
	e := wire.Entry{
		Type:  "other",
		Size:  st.Size,
		Mode:  fmt.Sprintf("%04o", st.Mode&0o7777),
		MTime: int64(st.Mtim.Sec),
		UID:   st.Uid,
		GID:   st.Gid,
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		e.Type = "file"
	case syscall.S_IFDIR:
		e.Type = "dir"
	case syscall.S_IFLNK:
		e.Type = "symlink"
	}
	return e
}
