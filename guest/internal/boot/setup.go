package boot

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

const (
	imageDir = "/mnt/image"
	diskDir  = "/mnt/disk"
	boxDir   = "/box"
)

// setUpBox makes the box's root at boxDir and gives it, held open. After an error nothing stays mounted.
func setUpBox(s *wire.Setup) (root *inroot.Root, err error) {
	defer func() {
		if err != nil {
			if root != nil {
				root.Close()
			}
			unmountBox()
		}
	}()
	if err := setClock(s.UnixNS, s.Entropy); err != nil {
		return nil, err
	}
	if err := LoadModules(s.Modules); err != nil {
		return nil, err
	}
	if err := mountRoot(s.Root); err != nil {
		return nil, err
	}
	if root, err = inroot.Open(boxDir); err != nil {
		return nil, err
	}
	if err := mountAt(root, procMount); err != nil {
		return root, err
	}
	if err := mountKernel(root, imageDir); err != nil {
		return root, err
	}
	if s.Template {
		return root, nil
	}
	return root, makeOwn(root, s)
}

// identify makes a box of what was set up for a template.
func identify(root *inroot.Root, s *wire.Setup) error {
	if err := setClock(s.UnixNS, s.Entropy); err != nil {
		return err
	}
	return makeOwn(root, s)
}

// makeOwn gives the box what no two have in common.
func makeOwn(root *inroot.Root, s *wire.Setup) error {
	if err := mountVolumes(root, s.Volumes); err != nil {
		return err
	}
	if s.Network != nil {
		if err := setUpNetwork(s.Network); err != nil {
			return err
		}
	}
	makeWorkdir(root, s.Workdir)
	return setNames(root, s, rootNote(boxDir))
}

// mountRoot joins the image and the disk. Directories of the image can be renamed (redirect_dir), which package managers do.
func mountRoot(r wire.Root) error {
	for _, device := range []string{r.Image, r.Disk} {
		if err := waitForDevice(device); err != nil {
			return err
		}
	}
	if err := (mount{r.Image, imageDir, "squashfs", syscall.MS_RDONLY, ""}).do(); err != nil {
		return err
	}
	// Its tables are zero already: a disk begins as a sparse file. The kernel would write zeros over them, for each box anew.
	if err := (mount{r.Disk, diskDir, "ext4", syscall.MS_NOATIME, "noinit_itable"}).do(); err != nil {
		return err
	}
	for _, name := range []string{"/upper", "/work"} {
		if err := os.Mkdir(diskDir+name, 0o755); err != nil && !os.IsExist(err) {
			return fmt.Errorf("prepare disk: %w", err)
		}
	}
	releaseReserve()
	const layers = "lowerdir=" + imageDir + ",upperdir=" + diskDir + "/upper,workdir=" + diskDir + "/work,redirect_dir=on"
	if err := (mount{"overlay", boxDir, "overlay", syscall.MS_NOATIME, layers}).do(); err != nil {
		return err
	}
	fillReserve()
	return nil
}

func waitForDevice(device string) error {
	err := waitFor(10*time.Second, func() bool {
		_, err := os.Stat(device)
		return err == nil
	})
	if err != nil {
		return fmt.Errorf("find block device %s: %w", device, err)
	}
	return nil
}

// mountAt mounts on a directory of the box, which is made if missing. The image may have made it a symlink: it is
// looked up inside the root and mounted on by descriptor.
func mountAt(root *inroot.Root, m mount) error {
	fd, err := root.MkdirAll(m.target)
	if err != nil {
		return fmt.Errorf("make %s in the box: %w", m.target, err)
	}
	defer syscall.Close(fd)
	err = syscall.Mount(m.source, sys.FDPath(fd), m.kind, m.flags, m.data)
	if err != nil && err != syscall.EBUSY { // the very same is mounted there
		return fmt.Errorf("mount %s (%s) on %s in the box: %w", m.source, m.kind, m.target, err)
	}
	return nil
}

var procMount = mount{"proc", "/proc", "proc", quiet, ""}

// mountKernel mounts what every Linux program expects besides /proc. image is where the image's own /run is.
func mountKernel(root *inroot.Root, image string) error {
	for _, m := range []mount{
		{"sysfs", "/sys", "sysfs", quiet, ""},
		{"devtmpfs", "/dev", "devtmpfs", syscall.MS_NOSUID, devOptions()},
		{"devpts", "/dev/pts", "devpts", syscall.MS_NOSUID | syscall.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{"tmpfs", "/dev/shm", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, tmpfsOptions("1777", shmPercent)},
		{"cgroup2", "/sys/fs/cgroup", "cgroup2", quiet, ""},
	} {
		err := mountAt(root, m)
		if m.kind == "devtmpfs" && errors.Is(err, syscall.EINVAL) {
			// There is one for the whole machine, and not every kernel lets it be bounded afterwards.
			m.data = "mode=0755"
			err = mountAt(root, m)
		}
		if err != nil {
			return err
		}
	}
	if err := mountRun(root, image); err != nil {
		return err
	}
	// Not every kernel has message queues.
	_ = mountAt(root, mount{"mqueue", "/dev/mqueue", "mqueue", quiet, ""})
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2", "core": "/proc/kcore",
	} {
		if err := replaceLink(root, "/dev", name, target); err != nil {
			return err
		}
	}
	fd, err := root.MkdirAll("/tmp")
	if err != nil {
		return fmt.Errorf("make /tmp in the box: %w", err)
	}
	defer syscall.Close(fd)
	var st syscall.Stat_t
	// Where it has that mode nothing is written: on a full disk there may be no room even for this.
	if err := syscall.Fstat(fd, &st); err == nil && st.Mode&0o7777 == 0o1777 {
		return nil
	}
	if err := syscall.Chmod(sys.FDPath(fd), 0o1777); err != nil {
		return fmt.Errorf("set the mode of /tmp in the box: %w", err)
	}
	return nil
}

func replaceLink(root *inroot.Root, dir, name, target string) error {
	fd, err := root.MkdirAll(dir)
	if err != nil {
		return fmt.Errorf("make %s in the box: %w", dir, err)
	}
	defer syscall.Close(fd)
	_ = sys.Unlinkat(fd, name, 0)
	if err := sys.Symlinkat(target, fd, name); err != nil {
		return fmt.Errorf("link %s/%s in the box: %w", dir, name, err)
	}
	return nil
}
