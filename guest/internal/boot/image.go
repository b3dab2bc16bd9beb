package boot

import (
	"fmt"
	"syscall"

	"boxrun.dev/guest/internal/files"
	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
)

// openImage opens the box's root as an image is made of it: without what is mounted over it, and without what the agent has put there. own are
// further names that are not the user's.
func openImage(dir string, own ...string) (*files.Archive, error) {
	// A copy of the mount alone: what other mounts hide is seen in it, and what is in them is not.
	tree, err := sys.OpenTree(dir)
	if err != nil {
		return nil, fmt.Errorf("look below what is mounted over the root: %w", err)
	}
	defer syscall.Close(tree)
	root, err := inroot.Open(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	e := etcFiles{root: root, note: rootNote(dir)}
	e.load()
	return files.OpenImage(tree, append(e.ours(), own...), []string{rootNoteName})
}

// OpenImage opens what an image is made of.
func (m *Machine) OpenImage() (*files.Archive, error) { return openImage(boxDir) }

// OpenImage opens what an image is made of: the root of the container is the box's disk itself, and has the agent's program. The name servers in it are
// BoxLite's, which writes them at each start, and of no use anywhere else.
func (m *Contained) OpenImage() (*files.Archive, error) {
	return openImage("/", m.agentDir[1:], "lost+found", "etc/resolv.conf")
}
