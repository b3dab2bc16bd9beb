package boot

import (
	"log"
	"syscall"

	"boxrun.dev/guest/internal/inroot"
)

// makeWorkdir makes the directory in which the box's programs start, as runc does for a container: many images name one that their layers
// do not have. Where it can't be (the disk is full, a file has the name), a program is told when it starts.
func makeWorkdir(root *inroot.Root, path string) {
	if path == "" {
		return
	}
	fd, err := root.MkdirAll(path)
	if err != nil {
		log.Printf("make the working directory %s: %v", path, err)
		return
	}
	syscall.Close(fd)
}
