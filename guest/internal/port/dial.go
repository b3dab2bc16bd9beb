package port

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// hostCID is the host's address in every VM (VMADDR_CID_HOST).
const hostCID = 2

// The byte with which the host answers the secret.
const (
	welcome = 0x06
	// successor is followed by the agent that is to take this one's place: its length as u32, big-endian, and the program.
	successor = 0x07
)

// A program that is sent comes in time, and is not longer than this, in bytes.
const (
	successorLimit = 30 * time.Second
	successorSize  = 64 << 20
)

// welcomeLimit is how long the host may take to answer in the end. The first calls come before the host listens, and are given up
// sooner: every box would otherwise take a second longer to start.
const (
	firstWelcomeLimit = 60 * time.Millisecond
	welcomeLimit      = time.Second
)

// Caller makes its connections itself, to a vsock port of the host behind which a server listens, or none for a while. One at
// a time, like the others. Any program in the VM can call that port: what tells the agent apart is the secret, which it sends
// before its greeting. libkrun connects every call, also where nobody listens: only one that the host has welcomed leads anywhere.
type Caller struct {
	dial    func() (net.Conn, error)
	port    uint32
	opening []byte
	succeed func(program []byte) error
	turn    chan struct{}
}

// NewCaller makes one; secret is what it says first. succeed runs the agent that the host may send; it returns only if that fails.
func NewCaller(port uint32, secret, greeting []byte, succeed func(program []byte) error) *Caller {
	c := &Caller{
		dial:    func() (net.Conn, error) { return dialVsock(port) },
		port:    port,
		opening: append(append([]byte{}, secret...), greeting...),
		succeed: succeed,
		turn:    make(chan struct{}, 1),
	}
	c.turn <- struct{}{}
	return c
}

// Accept waits until the connection before is closed, then calls until the host answers.
func (c *Caller) Accept() (net.Conn, error) {
	<-c.turn
	pause, limit := 5*time.Millisecond, firstWelcomeLimit
	for {
		conn, err := c.dial()
		if err == nil {
			if err = c.introduce(conn, limit); err == nil {
				return &turnConn{Conn: conn, done: sync.OnceFunc(func() { c.turn <- struct{}{} })}, nil
			}
			conn.Close()
		}
		time.Sleep(pause)
		pause, limit = min(2*pause, 100*time.Millisecond), min(2*limit, welcomeLimit)
	}
}

// introduce says the secret and the greeting, and waits for the welcome.
func (c *Caller) introduce(conn net.Conn, limit time.Duration) error {
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := conn.Write(c.opening); err != nil {
		return err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	switch answer[0] {
	case welcome:
		return conn.SetDeadline(time.Time{})
	case successor:
		return c.takeSuccessor(conn)
	default:
		return fmt.Errorf("the host answered %#x", answer[0])
	}
}

func (c *Caller) takeSuccessor(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(successorLimit)); err != nil {
		return err
	}
	var length [4]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint32(length[:]))
	if size > successorSize {
		return fmt.Errorf("the host sends an agent of %d bytes", size)
	}
	program := make([]byte, size)
	if _, err := io.ReadFull(conn, program); err != nil {
		return fmt.Errorf("receive another agent: %w", err)
	}
	err := c.succeed(program)
	log.Printf("the agent that the host has sent does not run: %v", err)
	return err
}

// Close does nothing: the agent calls as long as it lives.
func (c *Caller) Close() error { return nil }

// Addr names the port.
func (c *Caller) Addr() net.Addr { return addr(fmt.Sprintf("vsock:%d:%d", hostCID, c.port)) }

// sockaddrVM is struct sockaddr_vm.
type sockaddrVM struct {
	family    uint16
	_         uint16
	port, cid uint32
	_         [4]byte
}

const (
	afVsock = 40 // also the level of its socket options

	soBufferSize    = 0 // SO_VM_SOCKETS_BUFFER_SIZE
	soBufferMaxSize = 2 // SO_VM_SOCKETS_BUFFER_MAX_SIZE
)

// bufferSize is what the host may send before it is read, in bytes: far more than the agent is ever behind, since it reads at once whatever
// HTTP/2's windows allow. In libkrun (as of BoxLite 0.10.0) a host that has to wait for room may wait for ever: the guest's word that there
// is some and libkrun's own decision to wait for it can overtake each other. It then does not even notice that its connection ends.
const bufferSize = 32 << 20

// setBuffer sets how much may wait to be read. The memory is taken only when it does.
func setBuffer(fd int, bytes uint64) error {
	// In this order: the size can't be more than the most.
	for _, option := range []uintptr{soBufferMaxSize, soBufferSize} {
		_, _, e := syscall.Syscall6(syscall.SYS_SETSOCKOPT, uintptr(fd), afVsock, option,
			uintptr(unsafe.Pointer(&bytes)), unsafe.Sizeof(bytes), 0)
		if e != 0 {
			return fmt.Errorf("set the vsock's buffer to %d bytes: %w", bytes, e)
		}
	}
	return nil
}

func dialVsock(port uint32) (net.Conn, error) {
	fd, err := syscall.Socket(afVsock, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open vsock: %w", err)
	}
	if err := setBuffer(fd, bufferSize); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	address := sockaddrVM{family: afVsock, port: port, cid: hostCID}
	_, _, e := syscall.Syscall(syscall.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&address)), unsafe.Sizeof(address))
	if e == 0 {
		err = syscall.SetNonblock(fd, true)
	} else {
		err = e
	}
	if err != nil {
		syscall.Close(fd)
		return nil, fmt.Errorf("call the host's vsock port %d: %w", port, err)
	}
	return vsockConn{os.NewFile(uintptr(fd), fmt.Sprintf("vsock:%d:%d", hostCID, port))}, nil
}

// vsockConn is a connected vsock; package net knows none.
type vsockConn struct{ *os.File }

func (c vsockConn) LocalAddr() net.Addr  { return addr("vsock") }
func (c vsockConn) RemoteAddr() net.Addr { return addr(c.Name()) }
