package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"boxrun.dev/guest/internal/wire"
)

// frameBuffers holds a header and the longest payload, so that a frame is one write.
var frameBuffers = sync.Pool{New: func() any {
	b := make([]byte, wire.FrameHeaderSize+wire.MaxPayload)
	return &b
}}

// Output is one reader's attachment to an exec.
type Output struct {
	exec   *Exec
	cursor *Cursor
	ended  chan struct{} // closed when another reader comes
}

// Attach begins to read at the given offsets, acknowledges everything before, and ends the reader before this one.
func (e *Exec) Attach(stdout, stderr uint64) (*Output, error) {
	<-e.ready
	cursor, err := e.spool.Cursor(stdout, stderr)
	if err != nil {
		return nil, &wire.Error{Code: wire.BadRequest, Message: "output of exec " + e.id + ": " + err.Error()}
	}
	o := &Output{exec: e, cursor: cursor, ended: make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reader != nil {
		close(e.reader)
	}
	e.reader = o.ended
	return o, nil
}

// Detach is called once an answer is over.
func (o *Output) Detach() {
	o.exec.mu.Lock()
	defer o.exec.mu.Unlock()
	if o.exec.reader == o.ended {
		o.exec.reader = nil
	}
}

func (e *Exec) dropReader() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reader != nil {
		close(e.reader)
		e.reader = nil
	}
}

// ReadAcks takes acknowledgements from body until it ends.
func (o *Output) ReadAcks(body io.Reader) error {
	var frame [wire.AckSize]byte
	for {
		if _, err := io.ReadFull(body, frame[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read acknowledgements: %w", err)
		}
		ack, err := wire.DecodeAck(frame[:])
		if err != nil {
			return err
		}
		if err := o.exec.spool.Ack(ack.Stream, ack.Offset); err != nil {
			return err
		}
	}
}

// WriteFrames writes frames until the exit frame, or until ctx is done or another reader comes. What there is by patience is flushed
// together, and whatever the answer begins with: all of a command that is over by then. Later each frame is flushed, but the exit
// frame: it goes off with the answer's end.
func (o *Output) WriteFrames(ctx context.Context, w io.Writer, flush func() error, patience time.Time) error {
	var hold <-chan time.Time
	if left := time.Until(patience); left > 0 {
		hold = time.After(left)
	} else if err := flush(); err != nil {
		return err
	}
	for {
		wrote, more, wait, err := o.writeOne(w)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if wrote && hold == nil {
			if err := flush(); err != nil {
				return err
			}
		}
		if wrote {
			wait = goOn
		}
		select {
		case <-o.ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-hold:
			hold = nil
			if err := flush(); err != nil {
				return err
			}
		case <-wait:
		}
	}
	select {
	case <-o.exec.over:
	case <-o.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	_, err := w.Write(wire.EncodeExit(*o.exec.finished()))
	return err
}

// goOn is for a select that is not to wait.
var goOn = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// writeOne gives wait if there was nothing to write, and more until nothing comes any more.
func (o *Output) writeOne(w io.Writer) (wrote, more bool, wait <-chan struct{}, err error) {
	buf := frameBuffers.Get().(*[]byte)
	defer frameBuffers.Put(buf)
	t, offset, n, more, wait := o.cursor.Next((*buf)[wire.FrameHeaderSize:])
	if n == 0 {
		return false, more, wait, nil
	}
	wire.PutFrameHeader(*buf, t, offset, n)
	_, err = w.Write((*buf)[:wire.FrameHeaderSize+n])
	return true, true, nil, err
}
