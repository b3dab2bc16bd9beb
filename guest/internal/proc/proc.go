// Package proc starts processes and collects their ends. As PID 1 the agent inherits every orphan, so one reaper waits for
// any child and hands each status to whoever started that process. Nothing else in the agent may wait for a child.
package proc

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"boxrun.dev/guest/internal/sys"
)

// usualTimerSlack is what Linux begins with, in nanoseconds.
const usualTimerSlack = 50_000

// Table is the set of processes that were started and not reaped yet.
type Table struct {
	// mu is held while a process is started, so that its end cannot be collected before it is in the table; while
	// children are reaped; and while one is signalled, so that its number cannot have passed on to another process.
	mu      sync.Mutex
	running map[int]*Process
}

// Process is a child of the agent; its pid is also its session and process group.
type Process struct {
	PID    int
	table  *Table
	done   chan struct{}
	status syscall.WaitStatus
}

// NewTable starts the reaper.
func NewTable() *Table {
	t := &Table{running: map[int]*Process{}}
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGCHLD)
	go func() {
		for range changed {
			t.reap()
		}
	}()
	return t
}

func (t *Table) reap() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if p := t.running[pid]; p != nil {
			delete(t.running, pid)
			p.status = status
			close(p.done)
		}
	}
}

// Place is where a program begins.
type Place struct {
	// Root becomes its root directory; "/" leaves the agent's.
	Root string
	// Dir is its working directory, below Root.
	Dir string
}

// Start runs a program; path is as execve(2) will see it, below the place's root. The process must lead a session of its
// own. The error is the errno of what failed on the way to execve.
//
// The working directory is entered before the program's user is taken on, as other runtimes do: it may be one that this user
// could not enter, /root say. syscall.ForkExec can't do that, so a thread goes there first, and the program inherits its place.
func (t *Table) Start(path string, argv []string, place Place, attr *syscall.ProcAttr) (*Process, error) {
	type outcome struct {
		process *Process
		err     error
	}
	started := make(chan outcome, 1)
	go func() {
		// Never unlocked: the thread is of no other use, and ends with the goroutine.
		runtime.LockOSThread()
		process, err := t.startAt(path, argv, place, attr)
		started <- outcome{process, err}
	}()
	o := <-started
	return o.process, o.err
}

func (t *Table) startAt(path string, argv []string, place Place, attr *syscall.ProcAttr) (*Process, error) {
	if err := syscall.Unshare(syscall.CLONE_FS); err != nil {
		return nil, err
	}
	// This thread may come from one that oversleeps (boot.calmMonitor).
	if err := sys.SetTimerSlack(usualTimerSlack); err != nil {
		return nil, err
	}
	if place.Root != "/" {
		if err := syscall.Chroot(place.Root); err != nil {
			return nil, err
		}
	}
	if err := syscall.Chdir(place.Dir); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return nil, err
	}
	p := &Process{PID: pid, table: t, done: make(chan struct{})}
	t.running[pid] = p
	return p, nil
}

// Done is closed when the process has ended and Status is known.
func (p *Process) Done() <-chan struct{} { return p.done }

// Status is valid once Done is closed.
func (p *Process) Status() syscall.WaitStatus { return p.status }

// SignalGroup signals the process group; it gives false if the process has ended already.
func (p *Process) SignalGroup(signals ...syscall.Signal) bool {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	if p.table.running[p.PID] != p {
		return false
	}
	for _, s := range signals {
		_ = syscall.Kill(-p.PID, s)
	}
	return true
}

// Childless tells whether the agent has no children left. For PID 1 that means: no process runs in the whole box.
func (t *Table) Childless() bool {
	t.reap()
	t.mu.Lock()
	defer t.mu.Unlock()
	// WNOWAIT leaves a status that came in just now to the reaper.
	_, _, e := syscall.Syscall6(syscall.SYS_WAITID, 0 /* P_ALL */, 0, 0, syscall.WEXITED|syscall.WNOHANG|syscall.WNOWAIT, 0, 0)
	return e == syscall.ECHILD
}
