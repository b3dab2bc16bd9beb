package port

import (
	"fmt"
	"net"
	"sync"
)

// Socket serves the same protocol on a Unix socket, one client at a time like QEMU's, for tests without a VM.
type Socket struct {
	net.Listener
	greeting []byte
	turn     chan struct{}
}

// ListenUnix makes the socket.
func ListenUnix(path string, greeting []byte) (*Socket, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Socket{l, greeting, make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s, nil
}

// Accept waits until the client before is gone.
func (s *Socket) Accept() (net.Conn, error) {
	<-s.turn
	for {
		c, err := s.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if _, err := c.Write(s.greeting); err != nil {
			c.Close()
			continue
		}
		return &turnConn{Conn: c, done: sync.OnceFunc(func() { s.turn <- struct{}{} })}, nil
	}
}

type turnConn struct {
	net.Conn
	done func()
}

func (c *turnConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}
