package files

import (
	"syscall"

	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

// Rename gives a file, a symlink itself or a directory another path, as rename(2) does: at once, or not at all. Without replace whatever is
// at the new path is EXISTS; with it a file takes a file's place, and a directory that of an empty one.
func (f *Files) Rename(from, to string, replace bool) error {
	if err := checkPath("rename", from); err != nil {
		return err
	}
	if err := checkPath("rename to", to); err != nil {
		return err
	}
	fromDir, fromName, err := f.openParent("rename", from)
	if err != nil {
		return err
	}
	defer syscall.Close(fromDir)
	toDir, toName, err := f.openParent("rename to", to)
	if err != nil {
		return err
	}
	defer syscall.Close(toDir)
	if replace {
		err = sys.Renameat(fromDir, fromName, toDir, toName)
	} else {
		err = sys.RenameatNew(fromDir, fromName, toDir, toName)
	}
	switch err {
	case nil:
		return nil
	case syscall.EXDEV:
		return refuse("rename %s to %s: they are on different file systems (a volume is one of its own): copy it, and remove the old one",
			wire.Text(from), wire.Text(to))
	}
	return failExisting("rename", from+" to "+to, err)
}
