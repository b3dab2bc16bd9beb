package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// serveNetwork listens on socket, starts passt on the other end of a socket pair, so that passt needs no path of its own,
// lets QEMU connect once, and passes frames between the two until one ends. The other ends with it: passt quits when its
// socket closes.
func serveNetwork(socket string, f filter, passt string, args []string) error {
	// Whoever started this may be gone when it has something to say.
	signal.Ignore(syscall.SIGPIPE)

	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return fmt.Errorf("listen for QEMU: %w", err)
	}
	defer listener.Close()
	if err := os.Chmod(socket, 0o600); err != nil {
		return fmt.Errorf("listen for QEMU: %w", err)
	}

	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	said := &tail{limit: 4096}
	child := exec.Command(passt, append(args, "--foreground", "--fd", "3")...)
	child.ExtraFiles = []*os.File{theirs}
	child.Stdout, child.Stderr = said, said
	// Before passt has given up root, this ends it with us; afterwards its closed socket does.
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := child.Start(); err != nil {
		return fmt.Errorf("start passt: %w", err)
	}
	theirs.Close()
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	defer func() {
		child.Process.Kill()
		<-ended
	}()

	type accepted struct {
		conn *net.UnixConn
		err  error
	}
	connected := make(chan accepted, 1)
	go func() {
		conn, err := listener.AcceptUnix()
		connected <- accepted{conn, err}
	}()
	var qemu *net.UnixConn
	select {
	case err := <-ended:
		ended <- err
		return fmt.Errorf("passt ended: %v: %s", err, said)
	case <-time.After(60 * time.Second):
		return errors.New("QEMU did not connect within 60 s")
	case a := <-connected:
		if a.err != nil {
			return fmt.Errorf("accept QEMU: %w", a.err)
		}
		qemu = a.conn
	}
	defer qemu.Close()
	listener.Close() // removes the socket too: there is only one QEMU

	done := make(chan error, 2)
	go func() { done <- forward(ours, qemu, f.allows) }()
	go func() { done <- forward(qemu, ours, func([]byte) bool { return true }) }()
	return <-done
}

func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket pair: %w", err)
	}
	mine := os.NewFile(uintptr(fds[0]), "passt")
	defer mine.Close()
	theirs = os.NewFile(uintptr(fds[1]), "filter")
	ours, err = net.FileConn(mine)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("make a socket pair: %w", err)
	}
	return ours, theirs, nil
}

// tail keeps the last bytes written to it.
type tail struct {
	limit int
	mu    sync.Mutex
	bytes []byte
}

var _ io.Writer = (*tail)(nil)

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes = append(t.bytes, p...)
	if extra := len(t.bytes) - t.limit; extra > 0 {
		t.bytes = append(t.bytes[:0], t.bytes[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.bytes))
}
