package files

import (
	"syscall"

	"boxrun.dev/guest/internal/sys"
)

// Space is how much of the box's disk is used, and how large it is, in bytes, without what is kept for root.
func (f *Files) Space() (used, size uint64, err error) {
	fd, err := f.root.OpenFD("/", sys.OPath|syscall.O_DIRECTORY)
	if err != nil {
		return 0, 0, fail("statfs", "/", err)
	}
	defer syscall.Close(fd)
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(fd, &st); err != nil {
		return 0, 0, fail("statfs", "/", err)
	}
	block := uint64(st.Bsize)
	used = (st.Blocks - st.Bfree) * block
	return used, used + st.Bavail*block, nil
}
