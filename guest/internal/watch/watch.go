// Package watch tells what happens to files of the box, by inotify(7). The queue is the kernel's: a host that does not read keeps nothing in
// the agent's memory, and what the queue has no room for is told as an overflow.
package watch

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

const (
	// pairing is how long the second half of a rename may be behind the first.
	pairing = 10 * time.Millisecond
	// gathering is how long changes are gathered before they are told: a file that is written all the time is told of once in each.
	gathering = 20 * time.Millisecond

	changed = syscall.IN_MODIFY | syscall.IN_ATTRIB
	gone    = syscall.IN_DELETE_SELF | syscall.IN_MOVE_SELF | syscall.IN_UNMOUNT | syscall.IN_IGNORED
	mask    = changed | syscall.IN_CREATE | syscall.IN_DELETE | syscall.IN_MOVED_FROM | syscall.IN_MOVED_TO |
		syscall.IN_DELETE_SELF | syscall.IN_MOVE_SELF | syscall.IN_ONLYDIR | syscall.IN_EXCL_UNLINK
)

var errEnded = errors.New("what is watched is gone")

// Watch is one caller's watch of a directory, a tree, or a file.
type Watch struct {
	root      *inroot.Root
	base      string // the directory that is watched
	only      string // the file in it that alone is told of; empty: everything
	recursive bool
	file      *os.File
	fd        int
	dirs      map[int]string      // by watch descriptor, names relative to base
	pending   map[string]struct{} // new directories that are not watched yet
	attempts  int                 // to take those in
	unsure    bool                // the tree could not be taken in anew while nothing happened
	tell      func(wire.Change) error
	stopped   atomic.Bool
}

// Open watches path: the directory, with recursive all below it too, or the file. From here on nothing is missed.
func Open(root *inroot.Root, path string, recursive bool) (*Watch, error) {
	fd, err := root.OpenFD(path, sys.OPath)
	if err != nil {
		return nil, err
	}
	var st syscall.Stat_t
	err = syscall.Fstat(fd, &st)
	syscall.Close(fd)
	if err != nil {
		return nil, err
	}
	w := &Watch{root: root, base: path, recursive: recursive, dirs: map[int]string{}, pending: map[string]struct{}{}}
	if st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		// By its name, so that one that an editor puts in its place is told of as well.
		w.base, w.only = inroot.Split(path)
		w.recursive = false
	}
	if w.fd, err = syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC); err != nil {
		return nil, exhausted(err)
	}
	w.file = os.NewFile(uintptr(w.fd), "inotify")
	if _, err := w.add("", nil); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close ends a watch that nobody runs.
func (w *Watch) Close() error { return w.file.Close() }

// ErrStopped is what Run returns after Stop.
var ErrStopped = errors.New("the watch was stopped")

// Stop ends a Run that is under way, from another goroutine.
func (w *Watch) Stop() {
	w.stopped.Store(true)
	_ = w.file.SetReadDeadline(time.Unix(1, 0))
}

// Run tells everything that happens, until the watch is stopped, what is watched is gone, or tell fails. flush is called behind what happened
// at once.
func (w *Watch) Run(tell func(wire.Change) error, flush func() error) error {
	w.tell = tell
	buf := make([]byte, 64<<10)
	for {
		events, drained, err := w.read(buf)
		if err != nil {
			return err
		}
		err = w.handle(events)
		if err == nil && drained {
			err = w.settle()
		}
		if ended := err == errEnded; ended || err == nil {
			if err := flush(); err != nil || ended {
				return err
			}
		} else {
			return err
		}
		time.Sleep(gathering)
	}
}

// read waits for events; drained says that there were no more. A rename's first half is not parted from its second.
func (w *Watch) read(buf []byte) (events []sys.InotifyEvent, drained bool, err error) {
	n, err := w.file.Read(buf)
	if w.stopped.Load() {
		return nil, false, ErrStopped
	}
	if err != nil {
		return nil, false, err
	}
	events = sys.ParseInotify(buf[:n])
	if hasHalf(events) {
		_ = w.file.SetReadDeadline(time.Now().Add(pairing))
		n, err := w.file.Read(buf)
		_ = w.file.SetReadDeadline(time.Time{})
		if w.stopped.Load() {
			return nil, false, ErrStopped
		}
		if err == nil {
			events = append(events, sys.ParseInotify(buf[:n])...)
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, false, err
		}
	}
	return events, w.isQuiet(), nil
}

// isQuiet says that nothing is in the queue.
func (w *Watch) isQuiet() bool {
	var waiting int32
	err := sys.Ioctl(w.fd, syscall.TIOCINQ, unsafe.Pointer(&waiting)) // FIONREAD
	return err == nil && waiting == 0
}

func hasHalf(events []sys.InotifyEvent) bool {
	for i, e := range events {
		if e.Mask&syscall.IN_MOVED_FROM != 0 && partner(events, i) < 0 {
			return true
		}
	}
	return false
}

// partner is the index of the event that says where what events[i] tells of has moved to; -1 if there is none.
func partner(events []sys.InotifyEvent, i int) int {
	for j := i + 1; j < len(events); j++ {
		if events[j].Mask&syscall.IN_MOVED_TO != 0 && events[j].Cookie == events[i].Cookie {
			return j
		}
	}
	return -1
}

func (w *Watch) handle(events []sys.InotifyEvent) error {
	told := map[string]bool{} // as changed, in this batch
	paired := map[int]bool{}
	for i, e := range events {
		if paired[i] {
			continue
		}
		if e.Mask&syscall.IN_Q_OVERFLOW != 0 {
			clear(told)
			if err := w.overflow("more happened than could be told in time"); err != nil {
				return err
			}
			continue
		}
		dir, watched := w.dirs[e.Watch]
		if !watched {
			continue
		}
		if e.Mask&gone != 0 {
			if e.Mask&syscall.IN_IGNORED != 0 {
				delete(w.dirs, e.Watch)
			}
			if dir == "" {
				return w.end()
			}
			continue
		}
		if e.Name == "" && dir != "" {
			continue // its parent tells of it by its name
		}
		name := join(dir, e.Name)
		isDir := e.Mask&syscall.IN_ISDIR != 0
		other := -1
		if e.Mask&syscall.IN_MOVED_FROM != 0 {
			other = partner(events, i)
		}
		var err error
		switch {
		case w.only != "" && e.Name != w.only && (other < 0 || events[other].Name != w.only):
		case e.Mask&changed != 0:
			if !told[name] {
				told[name] = true
				err = w.say("changed", name, isDir)
			}
		case other >= 0:
			paired[other] = true
			toDir, there := w.dirs[events[other].Watch]
			to := join(toDir, events[other].Name)
			delete(told, name)
			delete(told, to)
			switch {
			case w.only != "" && e.Name == w.only, !there:
				err = w.leave(name, isDir)
			case w.only != "":
				err = w.arrive(to, isDir)
			default:
				err = w.rename(name, to, isDir)
			}
		case e.Mask&(syscall.IN_CREATE|syscall.IN_MOVED_TO) != 0:
			delete(told, name)
			err = w.arrive(name, isDir)
		case e.Mask&(syscall.IN_DELETE|syscall.IN_MOVED_FROM) != 0:
			delete(told, name)
			err = w.leave(name, isDir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *Watch) end() error {
	if w.only == "" {
		if err := w.say("removed", "", true); err != nil {
			return err
		}
	}
	return errEnded
}

func (w *Watch) say(event, name string, isDir bool) error {
	c := wire.Change{Event: event, Dir: isDir}
	if w.only != "" {
		name = "" // what is watched itself
	}
	c.Name, c.NameB64 = wire.TextOrBytes(name)
	return w.tell(c)
}

func (w *Watch) arrive(name string, isDir bool) error {
	if isDir && w.recursive {
		w.pending[name] = struct{}{}
	}
	return w.say("created", name, isDir)
}

func (w *Watch) leave(name string, isDir bool) error {
	if isDir {
		var below []int
		for wd, dir := range w.dirs {
			if within(dir, name) {
				below = append(below, wd)
			}
		}
		w.remove(below)
		for other := range w.pending {
			if within(other, name) {
				delete(w.pending, other)
			}
		}
	}
	return w.say("removed", name, isDir)
}

func (w *Watch) rename(from, to string, isDir bool) error {
	c := wire.Change{Event: "renamed", Dir: isDir}
	c.Name, c.NameB64 = wire.TextOrBytes(to)
	c.From, c.FromB64 = wire.TextOrBytes(from)
	if err := w.tell(c); err != nil || !isDir || !w.recursive {
		return err
	}
	known := false
	for wd, dir := range w.dirs {
		if within(dir, from) {
			w.dirs[wd] = to + dir[len(from):]
			known = known || dir == from
		}
	}
	var moved []string
	for other := range w.pending {
		if within(other, from) {
			moved = append(moved, other)
		}
	}
	for _, other := range moved {
		delete(w.pending, other)
		w.pending[to+other[len(from):]] = struct{}{}
		known = known || other == from
	}
	if !known {
		w.pending[to] = struct{}{}
	}
	return nil
}
