package files

import (
	"io"
	"os"
	"syscall"

	"boxrun.dev/guest/internal/sys"
)

// Remove removes a file, a symlink itself, or a whole directory.
func (f *Files) Remove(path string) error {
	if err := checkPath("remove", path); err != nil {
		return err
	}
	dir, name, err := f.openParent("remove", path)
	if err != nil {
		return err
	}
	defer syscall.Close(dir)
	if err := removeAt(dir, name); err != nil {
		return fail("remove", path, err)
	}
	return nil
}

func removeAt(dir int, name string) error {
	err := sys.Unlinkat(dir, name, 0)
	if err == nil || err == syscall.ENOENT {
		return err
	}
	st, statErr := sys.Lstatat(dir, name)
	if statErr != nil || st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return err
	}
	// Programs may add names meanwhile; a few rounds are enough for those that do it by accident.
	for range 10 {
		if err = sys.Unlinkat(dir, name, sys.AtRemoveDir); err != syscall.ENOTEMPTY && err != syscall.EEXIST {
			return err
		}
		if err := emptyDir(dir, name); err != nil {
			return err
		}
	}
	return err
}

func emptyDir(dir int, name string) error {
	d, err := openDir(dir, name)
	if err != nil {
		return err
	}
	defer d.Close()
	fd := int(d.Fd())
	for {
		names, err := d.Readdirnames(1024)
		for _, n := range names {
			if err := removeAt(fd, n); err != nil && err != syscall.ENOENT {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// openDir opens a directory by its name in another one, not through a symlink.
func openDir(dir int, name string) (*os.File, error) {
	fd, err := sys.Openat(dir, name, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
