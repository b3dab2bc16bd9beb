package files

import (
	"archive/tar"
	"fmt"
	"os"
	"strings"
	"syscall"

	"boxrun.dev/guest/internal/sys"
)

// imageRules make an archive one of which an image can be made: extended attributes are in it, what is the box's own and not the user's is
// not, and what can't be read ends it. An image with something missing would be found out about much later.
type imageRules struct {
	leaveOut   map[string]bool // names relative to the root
	attributes map[string]bool // of the same kind
}

func (r *imageRules) leavesOut(name string) bool { return r != nil && r.leaveOut[name] }

// OpenImage opens a root file system, given as a descriptor of its root, to be written as an image's layer: in full, as Write says.
// leaveOut are names without a slash before them; attributes are names of extended attributes that are left out wherever they are.
func OpenImage(root int, leaveOut, attributes []string) (*Archive, error) {
	fd, err := sys.Openat(root, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the root: %w", err)
	}
	rules := &imageRules{leaveOut: setOf(leaveOut), attributes: setOf(attributes)}
	return &Archive{dir: os.NewFile(uintptr(fd), "/"), parent: -1, image: rules}, nil
}

func setOf(names []string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return set
}

// attributes puts a file's extended attributes into its header, as star and GNU tar write them. fd may be an O_PATH descriptor, of a symlink
// too. Access control lists (system.) are none that an image could keep.
func (t *tarWriter) attributes(fd int, h *tar.Header) error {
	if t.image == nil {
		return nil
	}
	names, err := readAll(func(buf []byte) (int, error) { return syscall.Listxattr(sys.FDPath(fd), buf) })
	if err == syscall.ENOTSUP {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		namespace, _, _ := strings.Cut(name, ".")
		if t.image.attributes[name] || namespace != "user" && namespace != "security" && namespace != "trusted" {
			continue
		}
		value, err := readAll(func(buf []byte) (int, error) { return syscall.Getxattr(sys.FDPath(fd), name, buf) })
		if err == syscall.ENODATA {
			continue
		}
		if err != nil {
			return err
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords["SCHILY.xattr."+name] = string(value)
	}
	return nil
}

// readAll asks how much there is, and then for it.
func readAll(read func([]byte) (int, error)) ([]byte, error) {
	for {
		size, err := read(nil)
		if err != nil || size == 0 {
			return nil, err
		}
		buf := make([]byte, size)
		n, err := read(buf)
		if err == syscall.ERANGE {
			continue
		}
		if err != nil {
			return nil, err
		}
		return buf[:n], nil
	}
}
