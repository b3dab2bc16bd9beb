// Package cgroup gives each exec a control group of its own, so that everything it started can be found and killed, also
// what has left its process group and session. It does without where there is no cgroup2.
package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"boxrun.dev/guest/internal/sys"
)

const (
	// quietPause is how long nothing is tidied up behind an exec's end, which is to be told first.
	quietPause = 100 * time.Millisecond
	// sweepPause is between two looks at groups in which something still runs.
	sweepPause = 2 * time.Second
)

// Tree is the directory below which the groups are made. A nil Tree makes none.
type Tree struct {
	dir string

	names atomic.Int64 // given so far

	// mu is held for no system call: a program that starts waits for nothing that is tidied up.
	mu      sync.Mutex
	spare   *Group   // made ahead of its exec; nil if there is none
	waiting []*Group // done with, and not removed yet
	tidying bool
}

// NewTree uses the directory dir of a cgroup2 mount, which is made if missing.
func NewTree(dir string) (*Tree, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make cgroup %s: %w", dir, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
		return nil, fmt.Errorf("use cgroup %s: it is not on a cgroup2 file system: %w", dir, err)
	}
	return &Tree{dir: dir}, nil
}

// ReservePIDs leaves some processes and threads of the kernel's limit to the agent: the Go runtime cannot go on when it is
// refused a thread. Best effort.
func (t *Tree) ReservePIDs(reserve int) {
	limit := 0
	for _, name := range []string{"/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"} {
		text, err := os.ReadFile(name)
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return
		}
		if limit == 0 || n < limit {
			limit = n
		}
	}
	t.enable("+pids")
	_ = os.WriteFile(filepath.Join(t.dir, "pids.max"), []byte(strconv.Itoa(max(limit-reserve, limit/2))), 0)
}

// CountMemory makes the groups know what becomes of them when the box is out of memory. Best effort.
func (t *Tree) CountMemory() {
	t.enable("+memory")
	_ = os.WriteFile(filepath.Join(t.dir, "cgroup.subtree_control"), []byte("+memory"), 0)
}

// enable lets the tree's directory have a controller.
func (t *Tree) enable(controller string) {
	_ = os.WriteFile(filepath.Join(filepath.Dir(t.dir), "cgroup.subtree_control"), []byte(controller), 0)
}

// Group is one exec's control group. All methods do nothing on a nil Group.
type Group struct {
	tree *Tree
	path string
	file *os.File
}

// Take gives an exec its group. It gives nil if the box's programs made that impossible: an exec without one is better than none.
func (t *Tree) Take() *Group {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	spare := t.spare
	t.spare = nil
	t.mu.Unlock()
	if spare != nil {
		if spare.isThere() {
			return spare
		}
		spare.file.Close()
	}
	return t.make()
}

func (t *Tree) make() *Group {
	for try := 0; try < 100; try++ {
		path := filepath.Join(t.dir, "exec-"+strconv.FormatInt(t.names.Add(1), 10))
		err := os.Mkdir(path, 0o755)
		if errors.Is(err, syscall.ENOENT) {
			_ = os.MkdirAll(t.dir, 0o755)
			err = os.Mkdir(path, 0o755)
		}
		if errors.Is(err, syscall.EEXIST) {
			continue
		}
		if err != nil {
			return nil
		}
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
		if err != nil {
			_ = syscall.Rmdir(path)
			return nil
		}
		return &Group{tree: t, path: path, file: os.NewFile(uintptr(fd), path)}
	}
	return nil
}

// isThere tells whether the group can take processes: a program of the box may have removed it.
func (g *Group) isThere() bool {
	_, err := sys.Lstatat(int(g.file.Fd()), "cgroup.procs")
	return err == nil
}

// FD is for syscall.SysProcAttr.CgroupFD.
func (g *Group) FD() (int, bool) {
	if g == nil {
		return -1, false
	}
	return int(g.file.Fd()), true
}

// Kill sends SIGKILL to everything in the group and in the groups below it.
func (g *Group) Kill() {
	if g == nil {
		return
	}
	_ = os.WriteFile(filepath.Join(g.path, "cgroup.kill"), []byte("1"), 0)
}

// Populated tells whether any process is left in the group or below it.
func (g *Group) Populated() bool {
	if g == nil {
		return false
	}
	text, err := os.ReadFile(filepath.Join(g.path, "cgroup.events"))
	return err == nil && strings.Contains(string(text), "populated 1")
}

// OOMKills is how many processes of the group, or below it, the kernel has killed because memory had run out.
func (g *Group) OOMKills() int {
	if g == nil {
		return 0
	}
	text, err := os.ReadFile(filepath.Join(g.path, "memory.events"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(value))
			return n
		}
	}
	return 0
}

// Release has the group removed once it is empty, which may be long after its exec: background processes live on.
func (g *Group) Release() {
	if g == nil {
		return
	}
	g.file.Close()
	t := g.tree
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = append(t.waiting, g)
	if !t.tidying {
		t.tidying = true
		go t.tidy()
	}
}

// tidy removes what is done with, until nothing is left, and makes the next exec's group, so that it waits for none: on an emulated CPU that is a twelfth of what a box's first command takes.
func (t *Tree) tidy() {
	for pause, isOver := quietPause, false; !isOver; {
		time.Sleep(pause)
		t.mu.Lock()
		groups, hasSpare := t.waiting, t.spare != nil
		t.waiting = nil
		t.mu.Unlock()
		var made *Group
		if !hasSpare {
			made = t.make()
		}
		left := slices.DeleteFunc(groups, (*Group).remove)
		t.mu.Lock()
		if made != nil {
			t.spare = made
		}
		pause = sweepPause
		if len(t.waiting) > 0 {
			pause = quietPause
		}
		t.waiting = append(t.waiting, left...)
		isOver = len(t.waiting) == 0
		t.tidying = !isOver
		t.mu.Unlock()
	}
}

// remove tells whether the group is gone or was never to be removed by us.
func (g *Group) remove() bool {
	switch err := syscall.Rmdir(g.path); err {
	case syscall.EBUSY:
		if g.Populated() {
			return false
		}
		removeBelow(g.path)
		return syscall.Rmdir(g.path) != syscall.EBUSY
	default:
		return true
	}
}

// removeBelow removes the empty groups that the box's programs made below ours.
func removeBelow(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.IsDir() {
			child := filepath.Join(dir, e.Name())
			removeBelow(child)
			_ = syscall.Rmdir(child)
		}
	}
}
