// Package exec runs programs in the box. An exec belongs to the agent, under the host's id, and not to a connection: its
// output waits in a spool until the host has acknowledged it, on whichever connection.
package exec

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	"boxrun.dev/guest/internal/cgroup"
	"boxrun.dev/guest/internal/proc"
	"boxrun.dev/guest/internal/pty"
	"boxrun.dev/guest/internal/wire"
)

var aLongTimeAgo = time.Unix(1, 0)

// timeoutGrace is the time between SIGTERM and SIGKILL when an exec's own time is over.
const timeoutGrace = 5 * time.Second

// Exec is one command, running or finished.
type Exec struct {
	id     string
	ready  chan struct{} // closed when started, or when that has failed
	quick  time.Time     // a command that is over by then is quick; set before ready
	spool  *Spool
	proc   *proc.Process // nil if not started; set before ready
	group  *cgroup.Group
	stdin  stdin
	master *os.File // the terminal's, or nil

	mu       sync.Mutex
	exit     *wire.Exit    // set when everything is over
	over     chan struct{} // closed then
	stopping wire.Reason   // why the agent ends it: timeout, canceled or ""
	killAt   time.Time
	killer   *time.Timer
	timeout  *time.Timer
	reader   chan struct{} // closed to end the answer that reads the output now
}

// Quick is until when the answer to the start may be held back, so that all of a quick command travels together: for twice as long as
// the start took, on a fast machine and on a slow one. Not where the host has to answer: a program that reads what it is sent.
func (e *Exec) Quick() time.Time {
	<-e.ready
	return e.quick
}

// State is what the host is told.
func (e *Exec) State() wire.ExecState {
	<-e.ready
	e.mu.Lock()
	defer e.mu.Unlock()
	s := wire.ExecState{ID: e.id, State: "running", Exit: e.exit}
	if e.exit != nil {
		s.State = "exited"
	}
	if e.proc != nil {
		s.PID = e.proc.PID
	}
	if taken, ok := e.stdin.count(); ok {
		s.Stdin = &taken
	}
	return s
}

func (e *Exec) finished() *wire.Exit {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.exit
}

func (e *Exec) errFinished(operation string) error {
	return &wire.Error{Code: wire.Finished, Message: operation + ": exec " + e.id + " has ended"}
}

// Signal signals the process group.
func (e *Exec) Signal(s syscall.Signal) error {
	<-e.ready
	if e.proc == nil || !e.proc.SignalGroup(s) {
		return e.errFinished("signal")
	}
	return nil
}

// Resize sets the terminal's size in characters.
func (e *Exec) Resize(cols, rows uint16) error {
	<-e.ready
	if e.finished() != nil {
		return e.errFinished("resize")
	}
	if e.master == nil {
		return &wire.Error{Code: wire.BadRequest, Message: "resize: exec " + e.id + " has no terminal"}
	}
	if err := pty.Resize(e.master, cols, rows); err != nil {
		return &wire.Error{Code: wire.IO, Message: err.Error()}
	}
	return nil
}

// WriteStdin gives the program what it has not taken of input, and ends standard input if that is its end. It leaves when ctx is done.
func (e *Exec) WriteStdin(ctx context.Context, input Input) error {
	<-e.ready
	if e.finished() != nil || e.proc == nil {
		return e.errFinished("write standard input")
	}
	return e.stdin.write(ctx, input)
}

// Cancel sends SIGTERM to the process group, and SIGKILL to everything that the exec started after the grace. It does not
// wait. A second call can only shorten the grace, and is a success also when the first has ended the exec by then.
func (e *Exec) Cancel(grace time.Duration) error {
	<-e.ready
	if e.proc == nil || !e.stop(wire.Canceled, grace) {
		return e.errFinished("cancel")
	}
	return nil
}

// stop gives false if the main process has ended of itself, or for another reason.
func (e *Exec) stop(why wire.Reason, grace time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.exit != nil {
		return e.stopping == why
	}
	// A stopped process gets SIGTERM only once it continues.
	alive := e.proc.SignalGroup(syscall.SIGTERM, syscall.SIGCONT)
	if !alive && e.stopping == "" {
		return false
	}
	if e.stopping == "" {
		e.stopping = why
	}
	at := time.Now().Add(grace)
	if e.killer == nil {
		e.killAt = at
		e.killer = time.AfterFunc(grace, e.kill)
	} else if at.Before(e.killAt) {
		e.killAt = at
		e.killer.Reset(grace)
	}
	return true
}

func (e *Exec) kill() {
	e.proc.SignalGroup(syscall.SIGKILL)
	e.group.Kill()
}

// supervise follows a started exec to its end.
func (e *Exec) supervise(pumps []*pump) {
	var pumping sync.WaitGroup
	held := make([]bool, len(pumps))
	for i, p := range pumps {
		pumping.Add(1)
		go func() {
			defer pumping.Done()
			held[i] = p.run()
		}()
	}
	<-e.proc.Done()
	e.mu.Lock()
	if e.timeout != nil {
		e.timeout.Stop()
	}
	stopping := e.stopping
	e.mu.Unlock()
	e.stdin.abort()
	if stopping != "" {
		e.finishOff()
	}
	pumping.Wait()
	for i, p := range pumps {
		if held[i] && e.master == nil {
			go p.discard()
		} else {
			p.file.Close()
		}
	}
	e.spool.Close()
	exit := exitOf(e.proc.Status(), stopping)
	exit.Message = e.outOfMemory(exit)
	e.finish(exit)
	e.group.Release()
}

// finishOff waits until nothing is left of an exec that was told to stop, at most until its grace is over.
func (e *Exec) finishOff() {
	for pause := 2 * time.Millisecond; e.leftovers(); pause = min(2*pause, 50*time.Millisecond) {
		e.mu.Lock()
		left := time.Until(e.killAt)
		e.mu.Unlock()
		if left <= 0 {
			break
		}
		time.Sleep(min(pause, left))
	}
	e.group.Kill()
	if e.leftovers() && e.group == nil {
		_ = syscall.Kill(-e.proc.PID, syscall.SIGKILL)
	}
	e.mu.Lock()
	e.killer.Stop()
	e.mu.Unlock()
}

// leftovers tells whether processes of the exec outlive its main process. Without a control group only those of the
// process group are known, and the group's number might by then, though hardly, be another's.
func (e *Exec) leftovers() bool {
	if e.group != nil {
		return e.group.Populated()
	}
	return syscall.Kill(-e.proc.PID, 0) == nil
}

func (e *Exec) finish(exit wire.Exit) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.exit = &exit
	close(e.over)
}

// outOfMemory says of a failure that it was the kernel's, which had no memory left; "" if it was not.
func (e *Exec) outOfMemory(exit wire.Exit) string {
	if exit.Code == 0 || exit.Reason != wire.Exited && exit.Reason != wire.Signaled || e.group.OOMKills() == 0 {
		return ""
	}
	if exit.Signal == "SIGKILL" {
		return "the box ran out of memory, and its kernel killed the program; give the box more, or the program less to do"
	}
	return "the box ran out of memory, and its kernel killed a process that the program had started"
}

func exitOf(status syscall.WaitStatus, stopping wire.Reason) wire.Exit {
	exit := wire.Exit{Code: status.ExitStatus(), Reason: wire.Exited}
	if status.Signaled() {
		exit = wire.Exit{
			Code:   128 + int(status.Signal()),
			Reason: wire.Signaled,
			Signal: proc.SignalName(status.Signal()),
		}
	}
	if stopping != "" {
		exit.Reason = stopping
	}
	return exit
}
