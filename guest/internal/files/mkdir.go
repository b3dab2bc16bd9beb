package files

import (
	"strings"
	"syscall"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

// Mkdir makes a directory with mode 0755. With parents those that are missing on the way are made too, and a directory that is there is a success;
// without, whatever is there is EXISTS. owner is whose becomes what is made.
func (f *Files) Mkdir(path string, parents bool, owner *Ownership) error {
	if err := checkPath("mkdir", path); err != nil {
		return err
	}
	if parents {
		fd, err := f.root.MkdirAllAs(path, owner.parents())
		if err != nil {
			return failExisting("mkdir", path, err)
		}
		return syscall.Close(fd)
	}
	dir, name, err := f.openParent("mkdir", path)
	if err != nil {
		return err
	}
	defer syscall.Close(dir)
	if err := syscall.Mkdirat(dir, name, 0o755); err != nil {
		return failExisting("mkdir", path, err)
	}
	if who := owner.parents(); who != nil {
		if err := syscall.Fchownat(dir, name, int(who.UID), int(who.GID), sys.AtSymlinkNofollow); err != nil {
			return fail("mkdir", path, err)
		}
	}
	return nil
}

// openParent opens the directory that path is a name in. The caller closes it.
func (f *Files) openParent(operation, path string) (int, string, error) {
	trimmed := strings.TrimRight(path, "/")
	if trimmed == "" {
		return -1, "", refuse("%s %s: not a name in a directory", operation, wire.Text(path))
	}
	dirPath, name := inroot.Split(trimmed)
	if name == "" {
		return -1, "", refuse("%s %s: not a name in a directory", operation, wire.Text(path))
	}
	dir, err := f.root.OpenFD(dirPath, sys.OPath|syscall.O_DIRECTORY)
	if err != nil {
		return -1, "", fail(operation, path, err)
	}
	return dir, name, nil
}

// failExisting is fail where something may be in the way.
func failExisting(operation, path string, err error) error {
	if err == syscall.EEXIST || err == syscall.ENOTEMPTY {
		return &wire.Error{Code: wire.Exists, Message: operation + " " + wire.Text(path) + ": " + err.Error()}
	}
	return fail(operation, path, err)
}
