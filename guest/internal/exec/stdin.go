package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"boxrun.dev/guest/internal/pty"
	"boxrun.dev/guest/internal/wire"
)

// Input is what a request has for a program's standard input.
type Input struct {
	Body io.Reader
	// Offset is where Body begins in all of the input, or nil: behind what there is.
	Offset *uint64
	// EOF says that nothing comes behind Body.
	EOF bool
}

// stdin is the writing end of a program's standard input. Writers take turns, and leave when their request does.
type stdin struct {
	file *os.File // a pipe, or the terminal's master; nil if the exec has no input
	tty  bool
	turn chan struct{} // holds one value: who takes it may write

	// Of whom has the turn:
	closed bool
	last   byte

	mu    sync.Mutex
	taken uint64 // bytes that the program, or the pipe, has taken
	gone  bool   // the program has ended: nothing may be written any more
}

func (s *stdin) open(file *os.File, tty bool) {
	s.file, s.tty = file, tty
	s.turn = make(chan struct{}, 1)
	s.turn <- struct{}{}
}

var errInputClosed = &wire.Error{Code: wire.Finished, Message: "write standard input: it is closed"}

func inputError(format string, args ...any) error {
	return &wire.Error{Code: wire.BadRequest, Message: "write standard input: " + fmt.Sprintf(format, args...)}
}

// count tells how much was taken; false if there is no input.
func (s *stdin) count() (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken, s.file != nil
}

// write passes everything on that was not taken before, and blocks until the program (or the pipe) has taken it, or ctx is done.
func (s *stdin) write(ctx context.Context, input Input) error {
	if s.file == nil {
		return inputError("the exec was started without")
	}
	select {
	case <-s.turn:
	case <-ctx.Done():
		return errLeft
	}
	defer func() { s.turn <- struct{}{} }()
	if input.Offset == nil && s.closed {
		return errInputClosed
	}
	// A write that waits looks at nothing but its deadline.
	release := s.releaseWith(ctx)
	defer release()
	if input.Offset != nil {
		if err := s.skip(input.Body, *input.Offset, input.EOF); err != nil {
			return err
		}
	}
	if err := s.pass(ctx, input.Body); err != nil {
		return err
	}
	if !input.EOF || s.closed {
		return nil
	}
	return s.end(ctx)
}

// errLeft is for whoever asked, who is gone.
var errLeft = &wire.Error{Code: wire.IO, Message: "write standard input: the request was given up"}

// releaseWith sees to it that ctx ends a write that waits. The result is called when nothing is written any more.
func (s *stdin) releaseWith(ctx context.Context) (release func()) {
	released := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(released)
		_ = s.file.SetWriteDeadline(aLongTimeAgo)
	})
	return func() {
		if stop() {
			return
		}
		<-released
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.gone {
			_ = s.file.SetWriteDeadline(time.Time{})
		}
	}
}

// skip reads over what was taken before.
func (s *stdin) skip(body io.Reader, offset uint64, eof bool) error {
	taken, _ := s.count()
	if offset > taken {
		return inputError("it goes on at byte %d, not at %d", taken, offset)
	}
	skipped, err := io.CopyN(io.Discard, body, int64(taken-offset))
	if err != nil && !errors.Is(err, io.EOF) {
		return inputCutOff(err)
	}
	if end := offset + uint64(skipped); eof && end < taken {
		return inputError("it can't end at byte %d: %d were taken", end, taken)
	}
	return nil
}

// pass gives body to the program. Nothing more can be given to an input that is closed, and nothing need.
func (s *stdin) pass(ctx context.Context, body io.Reader) error {
	buf := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(buf)
	for {
		n, readErr := body.Read(*buf)
		if n > 0 {
			if err := s.put(ctx, (*buf)[:n]); err != nil {
				return err
			}
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return inputCutOff(readErr)
		}
	}
}

func inputCutOff(err error) error {
	return &wire.Error{Code: wire.IO, Message: "write standard input: read the request: " + err.Error()}
}

func (s *stdin) put(ctx context.Context, data []byte) error {
	if s.closed {
		return errInputClosed
	}
	n, err := s.file.Write(data)
	s.mu.Lock()
	s.taken += uint64(n)
	s.mu.Unlock()
	if n > 0 {
		s.last = data[n-1]
	}
	if err != nil && ctx.Err() != nil {
		return errLeft
	}
	if err != nil {
		return errInputClosed
	}
	return nil
}

func (s *stdin) end(ctx context.Context) error {
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
		if ctx.Err() != nil {
			return errLeft
		}
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
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	if !s.tty {
		s.file.Close() // ends a blocked Write; a second Close by a writer is harmless
		return
	}
	// The terminal is still read from. A deadline in the past ends blocked and later writes.
	_ = s.file.SetWriteDeadline(aLongTimeAgo)
}
