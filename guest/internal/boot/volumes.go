package boot

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/wire"
)

// mountVolumes mounts what the host has put into the VM's slots after it had started. The kernel has no part in such slots but this: it looks
// for what is new when it is told to, and has found the drivers' devices when that ends.
func mountVolumes(root *inroot.Root, volumes []wire.Volume) error {
	if len(volumes) == 0 {
		return nil
	}
	if err := os.WriteFile("/sys/bus/pci/rescan", []byte("1"), 0); err != nil {
		return fmt.Errorf("look for volumes: %w", err)
	}
	for _, v := range volumes {
		if err := mountVolume(root, v); err != nil {
			return err
		}
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
