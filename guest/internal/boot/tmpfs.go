package boot

import (
	"fmt"
	"log"
	"os"
	"syscall"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
)

// What programs put into a tmpfs is memory that nothing can take back, so all of them together leave the box enough to go on: whoever
// fills one gets ENOSPC, and not everybody the out-of-memory killer. Shares are of the memory, in percent.
const (
	shmPercent = 40
	runPercent = 10
	// devBytes is for names of devices; nothing else belongs there.
	devBytes = 1 << 20
	// inodeBytes is how much is allowed for each name: an empty file takes about 1 KiB of the kernel's memory.
	inodeBytes = 16 << 10
)

func tmpfsOptions(mode string, percent int64) string {
	bytes := totalMemory() / 100 * percent
	return fmt.Sprintf("mode=%s,size=%d,nr_inodes=%d", mode, bytes, max(bytes/inodeBytes, 1024))
}

func devOptions() string { return fmt.Sprintf("mode=0755,size=%d,nr_inodes=4096", devBytes) }

// totalMemory is in bytes; 256 MiB where the kernel doesn't tell.
func totalMemory() int64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 256 << 20
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// mountRun gives the box a /run that begins anew with each start, as programs expect, and has what the image brings there (/run/postgresql,
// /run/sshd): an overlay of that and of a tmpfs, which it hides. image is the root of the image, or of a box's disk to whose /run nothing is
// ever written.
func mountRun(root *inroot.Root, image string) error {
	lower, isEmpty := imageRun(image)
	if lower >= 0 {
		defer syscall.Close(lower)
	}
	const flags = syscall.MS_NOSUID | syscall.MS_NODEV
	if err := mountAt(root, mount{"tmpfs", "/run", "tmpfs", flags, tmpfsOptions("0755", runPercent)}); err != nil {
		return err
	}
	if isEmpty {
		return nil
	}
	memory, err := root.OpenFD("/run", sys.OPath|syscall.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("open /run in the box: %w", err)
	}
	defer syscall.Close(memory)
	layers, err := runLayers(lower, sys.FDPath(memory))
	if err == nil {
		err = syscall.Mount("overlay", sys.FDPath(memory), "overlay", flags, layers)
	}
	if err != nil {
		// A kernel without overlayfs: what the image has is there, and what programs add stays.
		log.Printf("/run is the image's own: %v", err)
		_ = syscall.Unmount(sys.FDPath(memory), syscall.MNT_DETACH)
	}
	return nil
}

// runLayers makes the upper directory, which is /run to the box and so has the owner and mode of the image's.
func runLayers(lower int, memory string) (string, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(lower, &st); err != nil {
		return "", err
	}
	upper, work := memory+"/upper", memory+"/work"
	for _, dir := range []string{upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return "", err
		}
	}
	if err := os.Chown(upper, int(st.Uid), int(st.Gid)); err != nil {
		return "", err
	}
	if err := syscall.Chmod(upper, st.Mode&0o7777); err != nil {
		return "", err
	}
	return "lowerdir=" + sys.FDPath(lower) + ",upperdir=" + upper + ",workdir=" + work, nil
}

// imageRun opens the image's /run; -1 if it has none.
func imageRun(image string) (fd int, isEmpty bool) {
	root, err := inroot.Open(image)
	if err != nil {
		return -1, true
	}
	defer root.Close()
	fd, err = root.OpenFD("/run", syscall.O_RDONLY|syscall.O_DIRECTORY)
	if err != nil {
		return -1, true
	}
	entries, err := os.ReadDir(sys.FDPath(fd))
	return fd, err == nil && len(entries) == 0
}
