package exec

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"time"

	"boxrun.dev/guest/internal/account"
	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/proc"
	"boxrun.dev/guest/internal/pty"
	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

// stdio is an exec's three files: the child's ends, which are closed once it has them, and the agent's. The child's are
// plain descriptors: package os would make them non-blocking, and the program would inherit that.
type stdio struct {
	child  [3]int
	stdin  *os.File // nil if there is none
	stdout *os.File // the terminal's master if there is a terminal
	stderr *os.File // nil with a terminal
}

func (f *stdio) closeChild() {
	for i, fd := range f.child {
		if fd >= 0 && (i == 0 || fd != f.child[0]) {
			syscall.Close(fd)
		}
	}
}

func (f *stdio) closeAgent() {
	for _, c := range []*os.File{f.stdin, f.stdout, f.stderr} {
		if c != nil {
			c.Close()
		}
	}
}

// openStdio opens pipes or a terminal. What it has opened is in the result also if it fails.
func openStdio(root *inroot.Root, null int, start *wire.ExecStart) (f stdio, err error) {
	f.child = [3]int{-1, -1, -1}
	if start.TTY != nil {
		var slave int
		if f.stdout, slave, err = pty.Open(root, start.TTY.Cols, start.TTY.Rows); err == nil {
			f.child = [3]int{slave, slave, slave}
		}
		return f, err
	}
	if start.Stdin {
		f.child[0], f.stdin, err = pipe("stdin", 0)
	} else {
		f.child[0], err = sys.Dup(null)
	}
	if err != nil {
		return f, err
	}
	if f.child[1], f.stdout, err = pipe("stdout", 1); err != nil {
		return f, err
	}
	f.child[2], f.stderr, err = pipe("stderr", 1)
	return f, err
}

// pipe makes a pipe; end says which end is the child's: 0 reads, 1 writes.
func pipe(name string, end int) (child int, agent *os.File, err error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return -1, nil, err
	}
	if err := syscall.SetNonblock(fds[1-end], true); err != nil {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return -1, nil, err
	}
	return fds[end], os.NewFile(uintptr(fds[1-end]), name), nil
}

// start starts the program, or says why that is impossible. It sets all of e's fields that ready promises.
func (m *Manager) start(e *Exec, start *wire.ExecStart) *startError {
	who, err := account.Lookup(m.root, start.User)
	if err != nil {
		return missing("%v", err)
	}
	env, searchPath := environment(start.Env, who.Home, start.TTY != nil)
	cwd := start.Cwd
	if cwd == "" {
		cwd = "/"
	}
	if bad := checkDirectory(m.root, cwd); bad != nil {
		return bad
	}
	program, bad := lookupProgram(m.root, start.Argv[0], cwd, searchPath)
	if bad != nil {
		return bad
	}

	files, err := openStdio(m.root, m.null, start)
	defer files.closeChild()
	if err != nil {
		files.closeAgent()
		return unusable("open standard input and output: %v", err)
	}
	e.group = m.groups.Take()
	attr := m.attributes(&files, who, start.TTY != nil)
	attr.Env = env
	attr.Sys.CgroupFD, attr.Sys.UseCgroupFD = e.group.FD()
	e.proc, err = m.procs.Start(program, start.Argv, proc.Place{Root: m.root.Path(), Dir: cwd}, attr)
	if err != nil {
		files.closeAgent()
		e.group.Release()
		e.group = nil
		return explain(m.root, start.Argv[0], program, cwd, err)
	}
	pumps, err := e.attach(&files)
	if err != nil {
		files.closeAgent()
		e.kill()
		return unusable("read output: %v", err)
	}
	if start.TimeoutMS != nil {
		e.timeout = time.AfterFunc(time.Duration(*start.TimeoutMS)*time.Millisecond, func() {
			e.stop(wire.Timeout, timeoutGrace)
		})
	}
	go e.supervise(pumps)
	return nil
}

// attributes says how the child is made. Its terminal is its standard input, hence Ctty 0.
func (m *Manager) attributes(files *stdio, who account.Account, tty bool) *syscall.ProcAttr {
	fds := []uintptr{uintptr(files.child[0]), uintptr(files.child[1]), uintptr(files.child[2])}
	how := &syscall.SysProcAttr{Setsid: true, Setctty: tty, Ctty: 0}
	if os.Geteuid() == 0 {
		how.Credential = &syscall.Credential{Uid: who.UID, Gid: who.GID, Groups: who.Groups}
	}
	return &syscall.ProcAttr{Files: fds, Sys: how}
}

// attach connects the agent's ends of the files with the spool and the standard input.
func (e *Exec) attach(files *stdio) ([]*pump, error) {
	if files.stdin != nil {
		e.stdin.open(files.stdin, false)
	}
	out, err := newPump(files.stdout, wire.Stdout, e.spool, e.proc.Done())
	if err != nil {
		return nil, err
	}
	if files.stderr == nil {
		e.master = files.stdout
		e.stdin.open(files.stdout, true)
		return []*pump{out}, nil
	}
	errs, err := newPump(files.stderr, wire.Stderr, e.spool, e.proc.Done())
	if err != nil {
		return nil, err
	}
	return []*pump{out, errs}, nil
}

func checkStart(start *wire.ExecStart) error {
	if len(start.Argv) == 0 {
		return errors.New("argv is empty")
	}
	if start.Cwd != "" && start.Cwd[0] != '/' {
		return errors.New("cwd is not an absolute path: " + start.Cwd)
	}
	if start.TimeoutMS != nil && *start.TimeoutMS <= 0 {
		return errors.New("timeout_ms is not positive")
	}
	for k := range start.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") {
			return errors.New("env has a name that is empty or contains '=' or a zero byte")
		}
	}
	return nil
}
