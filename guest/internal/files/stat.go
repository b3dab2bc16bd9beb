package files

import (
	"syscall"

	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

// Stat describes what is at path, as its entry in a list would: a symlink is described itself, or with follow what it leads to. The answer
// has no name; the host knows it.
func (f *Files) Stat(path string, follow bool) (wire.Entry, error) {
	if err := checkPath("stat", path); err != nil {
		return wire.Entry{}, err
	}
	flags := sys.OPath
	if !follow {
		flags |= syscall.O_NOFOLLOW
	}
	fd, err := f.root.OpenFD(path, flags)
	if err != nil {
		return wire.Entry{}, fail("stat", path, err)
	}
	defer syscall.Close(fd)
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return wire.Entry{}, fail("stat", path, err)
	}
	entry := entryOf(st)
	if entry.Type == "symlink" {
		target, err := sys.Readlinkat(fd, "")
		if err != nil {
			return wire.Entry{}, fail("stat", path, err)
		}
		entry.Target, entry.TargetB64 = wire.TextOrBytes(target)
	}
	return entry, nil
}
