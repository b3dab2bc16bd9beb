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
	caller := NewCaller(1, []byte("secret"), []byte("greeting"))
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
