package boot

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// The disk keeps a little room for the box's start, out of the reach of its programs: overlayfs makes files of its own when it is mounted, and
// a box whose disk is full of blocks or of names could otherwise never be started again, to have something removed.
const (
	reserveDir = diskDir + "/reserve"
	// reserveNames is several times what a mount takes.
	reserveNames = 16
	reserveBytes = 256 << 10
)

// releaseReserve gives the room up if the disk has no other.
func releaseReserve() {
	var st syscall.Statfs_t
	if err := syscall.Statfs(diskDir, &st); err != nil {
		return
	}
	if st.Ffree >= reserveNames && st.Bavail*uint64(st.Bsize) >= reserveBytes {
		return
	}
	entries, _ := os.ReadDir(reserveDir)
	for _, entry := range entries {
		_ = os.Remove(filepath.Join(reserveDir, entry.Name()))
	}
	// What was removed is free when the journal has it.
	syscall.Sync()
}

// fillReserve takes the room, or what there is of it, before the box's programs can.
func fillReserve() {
	if err := os.Mkdir(reserveDir, 0o700); err != nil && !os.IsExist(err) {
		return
	}
	for i := range reserveNames {
		file := filepath.Join(reserveDir, strconv.Itoa(i))
		fd, err := syscall.Open(file, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC, 0o600)
		if err != nil {
			continue
		}
		if i == 0 {
			_ = syscall.Fallocate(fd, 0, 0, reserveBytes)
		}
		syscall.Close(fd)
	}
}
