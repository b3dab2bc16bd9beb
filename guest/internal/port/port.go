// Package port makes connections out of a virtio-serial port, which has none: it is opened once, and each time the host
// is there anew, its stream becomes a net.Conn that begins with the agent's greeting.
//
// What the driver does (drivers/char/virtio_console.c): without a host, read gives end-of-file and write EAGAIN; a change
// of the host wakes pollers, so that the runtime's poller works. Only one program can have a port open: it is never closed,
// or a program of the box could take it.
package port

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// recheck is how long the agent trusts that the driver wakes it when the host comes.
const recheck = 250 * time.Millisecond

// Listener gives one connection at a time.
type Listener struct {
	file     *os.File
	greeting []byte
	current  *conn
}

// Listen opens the port; path is a character device.
func Listen(path string, greeting []byte) (*Listener, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open port: %w", err)
	}
	if err := file.SetDeadline(time.Time{}); err != nil {
		file.Close()
		return nil, fmt.Errorf("open port %s: it cannot be polled: %w", path, err)
	}
	return &Listener{file: file, greeting: greeting}, nil
}

// Accept waits until the connection before is closed and the host has hung up, then until the host is there, and greets.
func (l *Listener) Accept() (net.Conn, error) {
	if c := l.current; c != nil {
		<-c.closed
		c.using.Wait()
		if err := l.file.SetDeadline(time.Time{}); err != nil {
			return nil, fmt.Errorf("reset port: %w", err)
		}
		if !c.sawEOF() {
			// Bytes of a connection that went wrong must not be taken for the next one's.
			_, _ = io.Copy(io.Discard, l.file)
		}
	}
	if err := l.greet(); err != nil {
		return nil, err
	}
	l.current = &conn{file: l.file, closed: make(chan struct{})}
	return l.current, nil
}

func (l *Listener) greet() error {
	for rest := l.greeting; len(rest) > 0; {
		_ = l.file.SetWriteDeadline(time.Now().Add(recheck))
		n, err := l.file.Write(rest)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("write greeting: %w", err)
		}
		rest = rest[n:]
	}
	return l.file.SetWriteDeadline(time.Time{})
}

// Close does nothing: the port stays open as long as the agent lives.
func (l *Listener) Close() error { return nil }

// Addr names the port.
func (l *Listener) Addr() net.Addr { return addr(l.file.Name()) }

type addr string

func (addr) Network() string  { return "virtio-serial" }
func (a addr) String() string { return string(a) }

// conn is one presence of the host.
type conn struct {
	file   *os.File
	closed chan struct{}

	mu    sync.Mutex
	using sync.WaitGroup // reads and writes under way
	over  bool
	eof   bool
}

func (c *conn) sawEOF() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.eof
}

func (c *conn) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return net.ErrClosed
	}
	c.using.Add(1)
	return nil
}

func (c *conn) Read(b []byte) (int, error) {
	if err := c.begin(); err != nil {
		return 0, err
	}
	defer c.using.Done()
	n, err := c.file.Read(b)
	if err == io.EOF {
		c.mu.Lock()
		c.eof = true
		c.mu.Unlock()
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	if err := c.begin(); err != nil {
		return 0, err
	}
	defer c.using.Done()
	return c.file.Write(b)
}

// Close ends reads and writes that wait; the port stays open.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return net.ErrClosed
	}
	c.over = true
	_ = c.file.SetDeadline(time.Unix(1, 0))
	close(c.closed)
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return addr(c.file.Name()) }
func (c *conn) RemoteAddr() net.Addr { return addr("host") }

// deadline passes f's deadline on unless the connection is over, whose deadline must stay in the past.
func (c *conn) deadline(f func(time.Time) error, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return net.ErrClosed
	}
	return f(t)
}

func (c *conn) SetDeadline(t time.Time) error      { return c.deadline(c.file.SetDeadline, t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.deadline(c.file.SetReadDeadline, t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.deadline(c.file.SetWriteDeadline, t) }
