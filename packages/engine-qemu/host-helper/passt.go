package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// passtLink is the way to passt, which may not be there: on a host that has no network passt ends at once, and it may be killed. Then
// what the guest sends is lost, as on a cable that is unplugged, and passt is started again until it stays.
type passtLink struct {
	program string
	args    []string
	// toGuest takes passt's frames, each with its length.
	toGuest writer
	// report is told why there is no network, and with "" that there is.
	report func(trouble string)

	mu   sync.Mutex
	conn net.Conn
}

type writer interface{ Write(p []byte) (int, error) }

const (
	// A passt that lives longer than this has a network.
	settled      = time.Second
	firstPause   = 200 * time.Millisecond
	longestPause = 2 * time.Second
	// How long a passt that has closed its end gets to end by itself, which tells why.
	endGrace = time.Second
)

// Write sends a frame, with its length, to passt, or drops it.
func (l *passtLink) Write(frame []byte) (int, error) {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		// That it fails is known to keep, too.
		_, _ = conn.Write(frame)
	}
	return len(frame), nil
}

// keep runs passt until stop is closed, again and again, and returns when none is left.
func (l *passtLink) keep(stop <-chan struct{}) {
	pause := firstPause
	for {
		began := time.Now()
		calm := time.AfterFunc(settled, func() { l.report("") })
		err := l.runOnce(stop)
		calm.Stop()
		select {
		case <-stop:
			return
		default:
		}
		l.report(fmt.Sprintf("the program that connects it (passt) ended: %v", err))
		if time.Since(began) > settled {
			pause = firstPause
		}
		select {
		case <-stop:
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// runOnce runs passt to its end, or to stop.
func (l *passtLink) runOnce(stop <-chan struct{}) error {
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	said := &tail{limit: 4096}
	child := exec.Command(l.program, append(append([]string(nil), l.args...), "--foreground", "--fd", "3")...)
	child.ExtraFiles = []*os.File{theirs}
	child.Stdout, child.Stderr = said, said
	// Before passt has given up root, this ends it with us; afterwards its closed socket does.
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = child.Start()
	theirs.Close()
	if err != nil {
		return err
	}
	l.set(ours)
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	read := make(chan error, 1)
	go func() { read <- forward(l.toGuest, ours, func([]byte) bool { return true }) }()
	// One that ends closes its socket, too: which of the two is seen first says nothing.
	select {
	case err = <-ended:
		ended <- err
	case err = <-read:
		read <- err
		select {
		case err = <-ended:
			ended <- err
		case <-time.After(endGrace):
		case <-stop:
		}
	case <-stop:
	}
	if last := lastLine(said.String()); last != "" {
		err = fmt.Errorf("%v: %s", err, last)
	}
	l.set(nil)
	ours.Close()
	child.Process.Kill()
	<-ended
	<-read
	return err
}

func (l *passtLink) set(conn net.Conn) {
	l.mu.Lock()
	l.conn = conn
	l.mu.Unlock()
}
