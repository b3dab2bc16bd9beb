package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const fakePasst = "BOXRUN_FAKE_PASST"

// actAsPasst is what this test program does when it is started as passt: without a network, while the file is there, it ends as passt does,
// else it sends every frame back, and ends after one that says so.
func actAsPasst(noNetwork string) {
	if _, err := os.Stat(noNetwork); err == nil {
		fmt.Fprintln(os.Stderr, "No external routable interface for IPv4")
		os.Exit(1)
	}
	socket := os.NewFile(3, "socket")
	err := forward(socket, socket, func(frame []byte) bool {
		if strings.HasSuffix(string(frame), "die") {
			os.Exit(3)
		}
		return true
	})
	if err != nil {
		os.Exit(2)
	}
	os.Exit(0)
}

func eventually(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !isSo(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after 30 s", what)
		}
	}
}

func TestNetworkComesAndGoesWithPasst(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	noNetwork, socket := filepath.Join(dir, "none"), filepath.Join(dir, "net")
	if err := os.WriteFile(noNetwork, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(fakePasst, noNetwork)
	f := filter{subnet: netip.MustParsePrefix("10.0.2.0/24"), dns: netip.MustParseAddr("10.0.2.3")}
	served := make(chan error, 1)
	go func() { served <- network{socket: socket, filter: f, uid: -1, passt: self}.serve() }()
	state := func() string {
		text, _ := os.ReadFile(socket + stateSuffix)
		return string(text)
	}
	eventually(t, "no network is told", func() bool { return strings.Contains(state(), "No external routable interface") })
	qemu, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	send := func(text string) {
		frame := append([]byte("dddddddddddd\x08\x06"), text...)
		if _, err := qemu.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
			t.Fatal(err)
		}
	}
	frames := make(chan string, 1000)
	go func() {
		_ = forward(writerFunc(func(p []byte) { frames <- string(p[lengthSize+ethernetHeaderSize:]) }), qemu, func([]byte) bool { return true })
		close(frames)
	}()
	comesBack := func(text string) func() bool {
		return func() bool {
			send(text)
			// Answers to earlier ones may come first.
			for timeout := time.After(50 * time.Millisecond); ; {
				select {
				case frame := <-frames:
					if frame == text {
						return true
					}
				case <-timeout:
					return false
				}
			}
		}
	}
	send("lost")
	if err := os.Remove(noNetwork); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the network works once the host has one", comesBack("hello"))
	eventually(t, "a network that works has no trouble", func() bool { return state() == "" })
	send("die")
	eventually(t, "the network works again after passt's death", comesBack("again"))
	if err := qemu.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil && err != io.EOF {
		t.Errorf("ended with %v", err)
	}
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
