package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

// Which directories are watched: new ones are taken in with what they have, and the whole tree anew where something was missed.

const (
	// maxDirectories bounds the directories of one watch: each pins memory of the kernel. It is what a small box's kernel allows all in all.
	maxDirectories = 8192
	// maxFound bounds what is told of new directories' content at once, in names.
	maxFound = 65536
	// patience is how often new directories are looked into again because something happened meanwhile.
	patience = 20
)

var (
	// ErrTooMany says that a tree has more directories than a watch takes.
	ErrTooMany = fmt.Errorf("it has more than %d directories, and a watch takes no more", maxDirectories)
	// ErrExhausted says that the box's kernel has no more watches or instances of inotify.
	ErrExhausted = errors.New("the box has no more inotify watches (fs.inotify.max_user_watches and max_user_instances)")
)

type entry struct {
	name  string
	isDir bool
}

// settle takes new directories in, with all that they have already. It does so while nothing is in the queue, and takes it back if then something
// is: what is found in a directory would otherwise be told before what has led to it.
func (w *Watch) settle() error {
	if w.unsure {
		return w.overflow("the tree changed faster than it could be looked into")
	}
	if len(w.pending) == 0 {
		return nil
	}
	var found []entry
	var added []int
	var trouble error
	for name := range w.pending {
		wds, err := w.add(name, func(e entry) { found = append(found, e) })
		added = append(added, wds...)
		if errors.Is(err, ErrTooMany) || errors.Is(err, ErrExhausted) {
			trouble = err
			break
		}
		// Any other is a directory that is gone already.
		if len(found) > maxFound {
			break
		}
	}
	if !w.isQuiet() && w.attempts < patience {
		w.attempts++
		w.remove(added)
		return nil
	}
	quiet := w.isQuiet()
	w.attempts = 0
	clear(w.pending)
	switch {
	case trouble != nil:
		return w.tell(wire.Change{Event: "overflow", Reason: "a new directory is not watched: " + trouble.Error()})
	case !quiet, len(found) > maxFound:
		return w.overflow("the tree changed faster than it could be looked into")
	}
	for _, e := range found {
		if err := w.say("created", e.name, e.isDir); err != nil {
			return err
		}
	}
	return nil
}

func (w *Watch) remove(wds []int) {
	for _, wd := range wds {
		_, _ = syscall.InotifyRmWatch(w.fd, uint32(wd))
		delete(w.dirs, wd)
	}
}

// overflow tells that something is missing, and takes the tree in anew: directories may have come, gone and moved unseen. What is in the queue
// is missing with it.
func (w *Watch) overflow(reason string) error {
	if err := w.tell(wire.Change{Event: "overflow", Reason: reason}); err != nil {
		return err
	}
	clear(w.pending)
	buf := make([]byte, 64<<10)
	for try := 0; try < patience; try++ {
		for !w.isQuiet() {
			if _, err := syscall.Read(w.fd, buf); err != nil && err != syscall.EINTR {
				break
			}
		}
		old := w.dirs
		w.dirs = map[int]string{}
		_, err := w.add("", nil)
		if len(w.dirs) == 0 {
			return w.end()
		}
		if errors.Is(err, ErrTooMany) || errors.Is(err, ErrExhausted) {
			return w.tell(wire.Change{Event: "overflow", Reason: "not every directory is watched: " + err.Error()})
		}
		if w.unsure = !w.isQuiet(); !w.unsure {
			for wd := range old {
				if _, still := w.dirs[wd]; !still {
					_, _ = syscall.InotifyRmWatch(w.fd, uint32(wd))
				}
			}
			return nil
		}
	}
	return nil
}

// add watches the directory name and, of a recursive watch, all below it. found is told of what is in there. It gives the watches that
// were made.
func (w *Watch) add(name string, found func(entry)) ([]int, error) {
	var added []int
	pending := []string{name}
	for len(pending) > 0 {
		next := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		wd, err := w.addOne(next, func(e entry) error {
			if e.isDir {
				if len(pending)+len(w.dirs) >= maxDirectories {
					return ErrTooMany
				}
				pending = append(pending, e.name)
			}
			if found != nil {
				found(e)
			}
			return nil
		})
		if wd >= 0 {
			added = append(added, wd)
		}
		// One below that went meanwhile is no reason to give up the others.
		if err != nil && (next == name || errors.Is(err, ErrTooMany) || errors.Is(err, ErrExhausted)) {
			return added, err
		}
	}
	return added, nil
}

// addOne watches a directory first and looks into it then, so that nothing that comes is missed.
func (w *Watch) addOne(name string, found func(entry) error) (int, error) {
	flags := sys.OPath | syscall.O_DIRECTORY
	if name != "" {
		flags |= syscall.O_NOFOLLOW
	}
	fd, err := w.root.OpenFD(join(w.base, name), flags)
	if err != nil {
		return -1, err
	}
	defer syscall.Close(fd)
	if len(w.dirs) >= maxDirectories {
		return -1, ErrTooMany
	}
	wd, err := syscall.InotifyAddWatch(w.fd, sys.FDPath(fd), mask)
	if err != nil {
		return -1, exhausted(err)
	}
	w.dirs[wd] = name
	if !w.recursive {
		return wd, nil
	}
	rfd, err := sys.Reopen(fd, syscall.O_RDONLY|syscall.O_DIRECTORY)
	if err != nil {
		return wd, err
	}
	// By this name it finds the types of entries where the file system does not tell them.
	dir := os.NewFile(uintptr(rfd), sys.FDPath(rfd))
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(1024)
		for _, e := range entries {
			if err := found(entry{join(name, e.Name()), e.Type()&fs.ModeDir != 0}); err != nil {
				return wd, err
			}
		}
		if len(entries) == 0 || err != nil {
			return wd, nil // what else comes is told by the kernel
		}
	}
}

func exhausted(err error) error {
	if err == syscall.ENOSPC || err == syscall.EMFILE || err == syscall.ENOMEM {
		return ErrExhausted
	}
	return err
}

func join(dir, name string) string {
	if dir == "" || name == "" {
		return dir + name
	}
	return strings.TrimSuffix(dir, "/") + "/" + name
}

func within(name, dir string) bool {
	return name == dir || (len(name) > len(dir) && name[len(dir)] == '/' && name[:len(dir)] == dir)
}
