package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"boxrun.dev/guest/internal/wire"
)

// service listens on a port of loopback; serve has each connection.
func service(t *testing.T, address string, serve func(*net.TCPConn)) int {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn.(*net.TCPConn))
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// portConn is a connection to a port of the box, as the host has it.
type portConn struct {
	*io.PipeWriter
	answer io.ReadCloser
}

func (a *agent) connect(t *testing.T, port int) portConn {
	t.Helper()
	r, w := io.Pipe()
	answer, err := a.Do(context.Background(), "POST", fmt.Sprintf("/ports/%d", port), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return portConn{w, answer.Body}
}

// next gives what a frame says, or io.EOF for one that says that nothing more comes.
func (c portConn) next() ([]byte, error) {
	head := make([]byte, wire.PortHeaderSize)
	if _, err := io.ReadFull(c.answer, head); err != nil {
		return nil, fmt.Errorf("no frame: %w", err)
	}
	kind, length, err := wire.DecodePortHeader(head)
	if err != nil {
		return nil, err
	}
	if kind == wire.PortEnd {
		return nil, io.EOF
	}
	data := make([]byte, length)
	_, err = io.ReadFull(c.answer, data)
	return data, err
}

func (c portConn) rest(t *testing.T) []byte {
	t.Helper()
	var all []byte
	for {
		data, err := c.next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
}

func TestPortTakesAndGivesBothWaysAndEndsEachByItself(t *testing.T) {
	a := startAgent(t, "/")
	// Says its last word first, and reads on.
	heard := make(chan string, 1)
	port := service(t, "127.0.0.1", func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, "hello")
		_ = conn.CloseWrite()
		all, _ := io.ReadAll(conn)
		heard <- string(all)
		conn.Close()
	})
	c := a.connect(t, port)
	if got := c.rest(t); string(got) != "hello" {
		t.Errorf("the program said %q", got)
	}
	if _, err := io.WriteString(c, "still here"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if got := <-heard; got != "still here" {
		t.Errorf("the program heard %q", got)
	}
	// And then the answer is over.
	if n, err := c.answer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d bytes, %v", n, err)
	}

	// Hears all first, and says its word then.
	port = service(t, "127.0.0.1", func(conn *net.TCPConn) {
		all, _ := io.ReadAll(conn)
		_, _ = conn.Write(bytes.ToUpper(all))
		conn.Close()
	})
	c = a.connect(t, port)
	_, _ = io.WriteString(c, "question")
	c.Close()
	if got := c.rest(t); string(got) != "QUESTION" {
		t.Errorf("the program answered %q", got)
	}
}

func TestPortOfIPv6Loopback(t *testing.T) {
	a := startAgent(t, "/")
	port := service(t, "::1", func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, "six")
		conn.Close()
	})
	if got := a.connect(t, port).rest(t); string(got) != "six" {
		t.Errorf("the program said %q", got)
	}
}

func TestPortWhereNothingListensIsRefused(t *testing.T) {
	a := startAgent(t, "/")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	_, err = a.Bytes("POST", fmt.Sprintf("/ports/%d", port), nil)
	failure(t, err, wire.Refused, "nothing listens on port")
	for _, name := range []string{"0", "65536", "http", "-1"} {
		_, err = a.Bytes("POST", "/ports/"+name, nil)
		failure(t, err, wire.BadRequest, "not a number from 1 to 65535")
	}
}

func TestPortOfAProgramThatHangsUpIsCutOff(t *testing.T) {
	a := startAgent(t, "/")
	// Not before it is connected: that would be a refusal.
	connected := make(chan struct{})
	port := service(t, "127.0.0.1", func(conn *net.TCPConn) {
		<-connected
		_ = conn.SetLinger(0)
		conn.Close()
	})
	c := a.connect(t, port)
	close(connected)
	if _, err := c.next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a reset looks like %v", err)
	}
}

func TestPortOfAHostThatHangsUpIsClosed(t *testing.T) {
	a := startAgent(t, "/")
	over := make(chan error, 1)
	port := service(t, "127.0.0.1", func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, "x")
		_, err := io.ReadAll(conn)
		over <- err
		conn.Close()
	})
	c := a.connect(t, port)
	if _, err := c.next(); err != nil {
		t.Fatal(err)
	}
	c.answer.Close()
	<-over
}

func TestReaderOfAPortThatStandsStillHoldsUpNobody(t *testing.T) {
	a := startAgent(t, "/")
	const size = 8 << 20
	port := service(t, "127.0.0.1", func(conn *net.TCPConn) {
		_, _ = conn.Write(make([]byte, size))
		conn.Close()
	})
	slow := a.connect(t, port)
	for range 20 {
		c := a.connect(t, port)
		c.Close()
		if got := len(c.rest(t)); got != size {
			t.Fatalf("%d bytes came", got)
		}
	}
	slow.Close()
	if got := len(slow.rest(t)); got != size {
		t.Errorf("%d bytes came to the slow one", got)
	}
}

func TestListeningPortsHaveTheirProcess(t *testing.T) {
	a := startAgent(t, "/")
	port := service(t, "127.0.0.1", func(conn *net.TCPConn) { conn.Close() })
	var got wire.ListeningPorts
	if err := a.JSON("GET", "/ports", nil, &got); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(got.Ports, func(p wire.ListeningPort) bool { return int(p.Port) == port })
	if at < 0 {
		t.Fatalf("port %d is not among %+v", port, got.Ports)
	}
	found := got.Ports[at]
	if found.Address != "127.0.0.1" || found.PID != os.Getpid() || !strings.HasPrefix("boxrun-agent.test", found.Process) {
		t.Errorf("%+v", found)
	}
}
