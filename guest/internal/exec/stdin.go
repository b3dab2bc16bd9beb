package exec

import (
	"errors"
	"io"
	"os"
	"sync"

	"boxrun.dev/guest/internal/pty"
	"boxrun.dev/guest/internal/wire"
)

// stdin is the writing end of a program's standard input. Writers take turns, in the order of their arrival as far as the
// lock keeps it.
type stdin struct {
	file *os.File // a pipe, or the terminal's master; nil if the exec has no input
	tty  bool

	turn   sync.Mutex
	closed bool
	last   byte
}

var errInputClosed = &wire.Error{Code: wire.Finished, Message: "write standard input: it is closed"}

// write passes everything of body on and blocks until the program (or the pipe) has taken it.
func (s *stdin) write(body io.Reader, eof bool) error {
	if s.file == nil {
		return &wire.Error{Code: wire.BadRequest, Message: "write standard input: the exec was started without"}
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.closed {
		return errInputClosed
	}
	buf := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(buf)
	for {
		n, readErr := body.Read(*buf)
		if n > 0 {
			if _, err := s.file.Write((*buf)[:n]); err != nil {
				return errInputClosed
			}
			s.last = (*buf)[n-1]
		}
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil {
			return &wire.Error{Code: wire.IO, Message: "write standard input: read the request: " + readErr.Error()}
		}
	}
	if !eof {
		return nil
	}
	if !s.tty {
		s.closed = true
		s.file.Close()
		return nil
	}
	end := []byte{4} // ^D
	if s.last != '\n' && s.last != 0 && s.last != 4 && pty.Canonical(s.file) {
		end = []byte{4, 4} // the first one only hands over the unfinished line
	}
	if _, err := s.file.Write(end); err != nil {
		return errInputClosed
	}
	s.last = 4
	return nil
}

// abort ends waiting writers because the program is gone.
func (s *stdin) abort() {
	if s.file == nil {
		return
	}
	if !s.tty {
		s.file.Close() // ends a blocked Write; a second Close by a writer is harmless
		return
	}
	// The terminal is still read from. A deadline in the past ends blocked and later writes.
	_ = s.file.SetWriteDeadline(aLongTimeAgo)
}
