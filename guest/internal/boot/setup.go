package boot

import (
	"fmt"
	"os"
	"strings"
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
	if err := mountKernel(root); err != nil {
		return root, err
	}
	for _, v := range s.Volumes {
		if err := mountVolume(root, v); err != nil {
			return root, err
		}
	}
	if s.Network != nil {
		if err := setUpNetwork(s.Network); err != nil {
			return root, err
		}
	}
	return root, setNames(root, s)
}

// mountRoot joins the image and the disk. Directories of the image can be renamed (redirect_dir), which package managers do.
func mountRoot(r wire.Root) error {
	for _, device := range []string{r.Image, r.Disk} {
		err := waitFor(10*time.Second, func() bool {
			_, err := os.Stat(device)
			return err == nil
		})
		if err != nil {
			return fmt.Errorf("find block device %s: %w", device, err)
		}
	}
	if err := (mount{r.Image, imageDir, "squashfs", syscall.MS_RDONLY, ""}).do(); err != nil {
		return err
	}
	if err := (mount{r.Disk, diskDir, "ext4", syscall.MS_NOATIME, ""}).do(); err != nil {
		return err
	}
	for _, name := range []string{"/upper", "/work"} {
		if err := os.Mkdir(diskDir+name, 0o755); err != nil && !os.IsExist(err) {
			return fmt.Errorf("prepare disk: %w", err)
		}
	}
	const layers = "lowerdir=" + imageDir + ",upperdir=" + diskDir + "/upper,workdir=" + diskDir + "/work,redirect_dir=on"
	return mount{"overlay", boxDir, "overlay", syscall.MS_NOATIME, layers}.do()
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

// mountKernel mounts what every Linux program expects besides /proc.
func mountKernel(root *inroot.Root) error {
	for _, m := range []mount{
		{"sysfs", "/sys", "sysfs", quiet, ""},
		{"devtmpfs", "/dev", "devtmpfs", syscall.MS_NOSUID, "mode=0755"},
		{"devpts", "/dev/pts", "devpts", syscall.MS_NOSUID | syscall.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{"tmpfs", "/dev/shm", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=1777"},
		{"tmpfs", "/run", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=0755"},
		{"cgroup2", "/sys/fs/cgroup", "cgroup2", quiet, ""},
	} {
		if err := mountAt(root, m); err != nil {
			return err
		}
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

func mountVolume(root *inroot.Root, v wire.Volume) error {
	if !strings.HasPrefix(v.GuestPath, "/") {
		return &wire.Error{Code: wire.BadRequest, Message: "mount volume " + v.Tag + ": guest_path is not absolute: " + v.GuestPath}
	}
	m := mount{v.Tag, v.GuestPath, "virtiofs", 0, ""}
	if v.ReadOnly {
		m.flags = syscall.MS_RDONLY
	}
	return mountAt(root, m)
}

// setNames gives the box its name, and writes that and its name servers.
func setNames(root *inroot.Root, s *wire.Setup) error {
	hosts := "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	if s.Hostname != "" {
		if err := syscall.Sethostname([]byte(s.Hostname)); err != nil {
			return fmt.Errorf("set host name %s: %w", s.Hostname, err)
		}
		address := "127.0.1.1"
		if s.Network != nil && s.Network.Address != "" {
			address, _, _ = strings.Cut(s.Network.Address, "/")
		}
		hosts += address + "\t" + s.Hostname + "\n"
		if err := writeEtc(root, "hostname", s.Hostname+"\n"); err != nil {
			return err
		}
	}
	if err := writeEtc(root, "hosts", hosts); err != nil {
		return err
	}
	if s.Network == nil {
		return nil
	}
	servers := ""
	for _, d := range s.Network.DNS {
		servers += "nameserver " + d + "\n"
	}
	return writeEtc(root, "resolv.conf", servers)
}

// writeEtc replaces a file of /etc; if it is a symlink (to a resolver that does not run here), the symlink itself.
func writeEtc(root *inroot.Root, name, content string) error {
	fd, err := root.MkdirAll("/etc")
	if err != nil {
		return fmt.Errorf("make /etc in the box: %w", err)
	}
	defer syscall.Close(fd)
	_ = sys.Unlinkat(fd, name, 0)
	ffd, err := sys.Openat(fd, name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return fmt.Errorf("write /etc/%s in the box: %w", name, err)
	}
	f := os.NewFile(uintptr(ffd), name)
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		return fmt.Errorf("write /etc/%s in the box: %w", name, err)
	}
	return nil
}
