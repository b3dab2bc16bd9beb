package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// network is what serves a box's card.
type network struct {
	// socket is where QEMU connects, once.
	socket string
	filter filter
	// uid is the user that it all runs as, from the socket on; negative: whoever started it.
	uid   int
	passt string
	args  []string
}

// serve listens, lets QEMU connect, and passes frames between it and passt until QEMU hangs up. passt has one end of a socket pair, so that
// it needs no path of its own.
func (n network) serve() error {
	// Whoever started this may be gone when it has something to say.
	signal.Ignore(syscall.SIGPIPE)

	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: n.socket, Net: "unix"})
	if err != nil {
		return fmt.Errorf("listen for QEMU: %w", err)
	}
	defer listener.Close()
	listener.SetUnlinkOnClose(false)
	if err := os.Chmod(n.socket, 0o600); err != nil {
		return fmt.Errorf("listen for QEMU: %w", err)
	}
	state, err := openState(n.socket + stateSuffix)
	if err != nil {
		return err
	}
	if n.uid >= 0 {
		if err := becomeUser(n.uid, nil); err != nil {
			return err
		}
	}
	if err := listener.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		return err
	}
	guest := &sharedWriter{}
	link := &passtLink{program: n.passt, args: n.args, toGuest: guest, report: state.write}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		link.keep(stop)
		close(stopped)
	}()
	defer func() {
		close(stop)
		<-stopped
	}()
	qemu, err := listener.AcceptUnix()
	if err != nil {
		return fmt.Errorf("accept QEMU: %w", err)
	}
	defer qemu.Close()
	// There is only one QEMU.
	listener.Close()
	guest.connect(qemu)
	resolver := newResolver(n.filter.dns, guest.writeFrame)
	return forward(link, qemu, func(frame []byte) bool { return n.filter.allows(frame) && !resolver.takes(frame) })
}

// sharedWriter writes whole frames of several senders to the guest. What comes before QEMU is there is lost.
type sharedWriter struct {
	mu   sync.Mutex
	conn net.Conn
}

func (w *sharedWriter) connect(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = conn
}

// Write takes a frame with its length.
func (w *sharedWriter) Write(frame []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == nil {
		return len(frame), nil
	}
	return w.conn.Write(frame)
}

func (w *sharedWriter) writeFrame(frame []byte) {
	_, _ = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
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
