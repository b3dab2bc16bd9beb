package port

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func TestCallerCallsUntilItIsWelcome(t *testing.T) {
	opening := []byte("secretgreeting")
	answers := []func(net.Conn){
		// Connected, and nobody is there.
		func(net.Conn) {},
		// A server that ends at once.
		func(host net.Conn) { host.Close() },
		// Somebody else's.
		func(host net.Conn) { _, _ = host.Write([]byte("x")) },
		func(host net.Conn) { _, _ = host.Write([]byte{welcome, 'h', 'i'}) },
	}
	calls := 0
	caller := NewCaller(1, []byte("secret"), []byte("greeting"), nil)
	caller.dial = func() (net.Conn, error) {
		calls++
		if calls == 1 {
			return nil, errors.New("refused")
		}
		guest, host := net.Pipe()
		answer := answers[calls-2]
		go func() {
			said := make([]byte, len(opening))
			if _, err := io.ReadFull(host, said); err != nil || !bytes.Equal(said, opening) {
				t.Errorf("the host was told %q, %v", said, err)
			}
			answer(host)
		}()
		return guest, nil
	}
	conn, err := caller.Accept()
	if err != nil || calls != 1+len(answers) {
		t.Fatalf("%d calls, %v", calls, err)
	}
	// What the host says next is the connection's, and no deadline is left on it.
	time.Sleep(2 * welcomeLimit)
	rest := make([]byte, 2)
	if _, err := io.ReadFull(conn, rest); err != nil || string(rest) != "hi" {
		t.Fatalf("read %q, %v", rest, err)
	}
}

func TestCallerRunsTheAgentThatItIsSent(t *testing.T) {
	var ran []string
	caller := NewCaller(1, []byte("secret"), []byte("greeting"), func(program []byte) error {
		ran = append(ran, string(program))
		return errors.New("it does not run")
	})
	answers := [][]byte{
		{successor, 0, 0, 0, 3, 'n', 'e', 'w'},
		// Cut off, and far too long.
		{successor, 0, 0, 0, 3, 'n'},
		{successor, 0xff, 0xff, 0xff, 0xff},
		{welcome},
	}
	caller.dial = func() (net.Conn, error) {
		guest, host := net.Pipe()
		answer := answers[0]
		answers = answers[1:]
		go func() {
			_, _ = io.ReadFull(host, make([]byte, len(caller.opening)))
			_, _ = host.Write(answer)
			if answer[0] == successor {
				host.Close()
			}
		}()
		return guest, nil
	}
	if _, err := caller.Accept(); err != nil || len(answers) != 0 {
		t.Fatalf("%d answers are left, %v", len(answers), err)
	}
	if len(ran) != 1 || ran[0] != "new" {
		t.Errorf("ran %q", ran)
	}
}
