package boot

import (
	"fmt"
	"slices"
	"syscall"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
)

// heldVolume is a volume that is mounted nowhere for the moment.
type heldVolume struct {
	path string
	tree int
}

// clear takes away everything that is mounted over the container's root, and mounts a fresh /proc, which all that follows needs. The
// volumes come back by place: until then they are held, for a volume may be below something that goes (/tmp/data).
func (m *Contained) clear() ([]heldVolume, error) {
	mounts, err := listMounts()
	if err != nil {
		return nil, err
	}
	var volumes []heldVolume
	for _, at := range mounts {
		if at.kind != "virtiofs" {
			continue
		}
		tree, err := sys.OpenTree(at.target)
		if err != nil {
			return nil, fmt.Errorf("hold the volume at %s: %w", at.target, err)
		}
		volumes = append(volumes, heldVolume{at.target, tree})
	}
	var gone []string
	for _, at := range mounts {
		// With a mount goes what is mounted below it.
		isGone := slices.ContainsFunc(gone, func(dir string) bool { return at.target != dir && below(at.target, dir) })
		if at.target == "/" || isGone {
			continue
		}
		if err := syscall.Unmount(at.target, syscall.MNT_DETACH); err != nil {
			return nil, fmt.Errorf("unmount %s: %w", at.target, err)
		}
		gone = append(gone, at.target)
	}
	return volumes, procMount.do()
}

// place mounts a volume in the box, over whatever is there.
func (v heldVolume) place(root *inroot.Root) error {
	defer syscall.Close(v.tree)
	dir, err := root.MkdirAll(v.path)
	if err != nil {
		return fmt.Errorf("make %s in the box: %w", v.path, err)
	}
	defer syscall.Close(dir)
	if err := sys.MoveMount(v.tree, dir); err != nil {
		return fmt.Errorf("mount the volume at %s: %w", v.path, err)
	}
	return nil
}
