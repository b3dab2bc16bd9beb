package exec

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

const (
	readSize = 64 << 10
	// adoptSize is from how many bytes on a read buffer becomes a chunk of the spool, instead of being copied into one.
	adoptSize = 24 << 10
	// silence is how long a background process that holds the pipes may keep quiet before the exit is told without it.
	silence = 100 * time.Millisecond
	// noise is for how long a background process that keeps writing can hold up the exit.
	noise = 2 * time.Second
)

var readBuffers = sync.Pool{New: func() any { b := make([]byte, readSize); return &b }}

// pump moves what a program writes into its spool.
type pump struct {
	file   *os.File
	raw    syscall.RawConn
	stream wire.FrameType
	spool  *Spool
	ended  <-chan struct{} // closed when the main process has ended
}

func newPump(f *os.File, t wire.FrameType, s *Spool, ended <-chan struct{}) (*pump, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &pump{f, raw, t, s, ended}, nil
}

// run returns when everything of the main process's was read: at the end of the file, or when the main process has ended
// and others keep the file open. In the latter case it gives true.
func (p *pump) run() (heldOpen bool) {
	settled := make(chan struct{})
	defer close(settled)
	go func() {
		select {
		case <-p.ended:
			_ = p.file.SetReadDeadline(time.Now().Add(silence))
		case <-settled:
		}
	}()
	var quiet bool         // nothing came for the time of silence, so look once more without waiting
	var deadline time.Time // of noise
	var owed int           // bytes that were in the pipe when the main process had ended: never left behind
	for {
		n, err, full := p.readOnce(!quiet)
		if full != nil {
			<-full
		} else if quiet && err == syscall.EAGAIN {
			return true
		}
		quiet = errors.Is(err, os.ErrDeadlineExceeded)
		if full == nil && n <= 0 && !quiet {
			return false // the end of the file; a terminal gives EIO when its other end is closed
		}
		select {
		case <-p.ended:
		default:
			continue
		}
		now := time.Now()
		owed -= max(n, 0)
		if deadline.IsZero() {
			deadline, owed = now.Add(noise), p.pending()
		} else if owed <= 0 && now.After(deadline) {
			return true
		}
		_ = p.file.SetReadDeadline(now.Add(silence))
	}
}

// pending is how many bytes wait in the pipe.
func (p *pump) pending() int {
	var n int32
	_ = p.raw.Control(func(fd uintptr) {
		_ = sys.Ioctl(int(fd), syscall.TIOCINQ, unsafe.Pointer(&n))
	})
	return int(n)
}

// readOnce waits, if wait is true, until there is something to read, and puts it into the spool. If the spool has no room
// it reads nothing and gives a channel that is closed when that has changed.
func (p *pump) readOnce(wait bool) (n int, err error, full <-chan struct{}) {
	var result error
	read := func(fd uintptr) bool {
		var room int
		if room, full = p.spool.Reserve(readSize); full != nil {
			return true
		}
		buf := readBuffers.Get().(*[]byte)
		n, result = retryRead(int(fd), (*buf)[:room])
		got := max(n, 0)
		adopt := got >= adoptSize
		p.spool.Commit(p.stream, (*buf)[:got:got], room, adopt)
		if !adopt {
			readBuffers.Put(buf)
		}
		return result != syscall.EAGAIN
	}
	if wait {
		err = p.raw.Read(read)
	} else {
		err = p.raw.Control(func(fd uintptr) { read(fd) })
	}
	if err == nil {
		err = result
	}
	return n, err, full
}

func retryRead(fd int, buf []byte) (int, error) {
	for {
		if n, err := syscall.Read(fd, buf); err != syscall.EINTR {
			return n, err
		}
	}
}

// discard reads on after the exit was told, so that a background process does not die of a closed pipe.
func (p *pump) discard() {
	defer p.file.Close()
	_ = p.file.SetReadDeadline(time.Time{})
	for {
		var n int
		var result error
		err := p.raw.Read(func(fd uintptr) bool {
			buf := readBuffers.Get().(*[]byte)
			defer readBuffers.Put(buf)
			n, result = retryRead(int(fd), *buf)
			return result != syscall.EAGAIN
		})
		if err != nil || result != nil || n == 0 {
			return
		}
	}
}
