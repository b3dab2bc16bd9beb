package bulk

import (
	"fmt"
	"io"
	"sync"
)

// Reader reads a body of which the host says where its pieces are: the next while one is being used. It ends at the body's own end: one that is cut
// off before is io.ErrUnexpectedEOF.
type Reader struct {
	area *Area
	in   io.Reader
	// free is called when a slot's bytes are not needed there any more.
	free func() error

	begin   sync.Once
	pieces  chan piece
	closed  chan struct{}
	fetched chan struct{}
	// failed is why there are no more pieces, once their channel is closed.
	failed error
	// current is what is being read, of which rest is left.
	current piece
	rest    []byte
}

// NewReader reads from in. free is called for each slot, once it can be used again, until Close has returned.
func NewReader(area *Area, in io.Reader, free func() error) *Reader {
	return &Reader{
		area: area, in: in, free: free,
		pieces: make(chan piece), closed: make(chan struct{}), fetched: make(chan struct{}),
	}
}

// Close waits until nothing is read any more. The body below has to be closed before.
func (r *Reader) Close() error {
	close(r.closed)
	r.begin.Do(func() { close(r.fetched) })
	<-r.fetched
	r.drop()
	return nil
}

func (r *Reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo writes each piece as it is.
func (r *Reader) WriteTo(w io.Writer) (written int64, err error) {
	for {
		n, err := w.Write(r.rest)
		written += int64(n)
		r.rest = r.rest[n:]
		if err != nil {
			return written, err
		}
		if err := r.next(); err == io.EOF {
			return written, nil
		} else if err != nil {
			return written, err
		}
	}
}

// next goes to the next piece, or gives io.EOF.
func (r *Reader) next() error {
	r.begin.Do(func() { go r.fetchAll() })
	r.drop()
	p, more := <-r.pieces
	if !more {
		return r.failed
	}
	r.current, r.rest = p, (*p.buffer)[:p.filled]
	return nil
}

func (r *Reader) drop() {
	if r.current.buffer != nil {
		buffers.Put(r.current.buffer)
	}
	r.current, r.rest = piece{}, nil
}

func (r *Reader) fetchAll() {
	defer close(r.fetched)
	defer close(r.pieces)
	for {
		p, err := r.fetch()
		if err != nil {
			r.failed = err
			return
		}
		select {
		case r.pieces <- p:
		case <-r.closed:
			buffers.Put(p.buffer)
			r.failed = io.ErrClosedPipe
			return
		}
	}
}

// fetch gives the next piece, or io.EOF.
func (r *Reader) fetch() (p piece, err error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return p, cutOff(err)
	}
	slot, length, err := decodeHead(&head)
	if err != nil {
		return p, err
	}
	if slot == endOfBody {
		if n, err := r.in.Read(head[:1]); n > 0 || err != io.EOF {
			return p, fmt.Errorf("something comes behind the end of a body: %v", err)
		}
		return p, io.EOF
	}
	p = piece{buffers.Get().(*[]byte), length}
	if slot == inline {
		_, err = io.ReadFull(r.in, (*p.buffer)[:length])
		err = cutOff(err)
	} else {
		err = r.load(p, slot)
	}
	if err != nil {
		buffers.Put(p.buffer)
	}
	return p, err
}

func (r *Reader) load(p piece, slot byte) error {
	if n, err := r.area.file.ReadAt((*p.buffer)[:whole(p.filled)], offsetOf(slot)); n < p.filled {
		return fmt.Errorf("read the disk for transfers: %w", err)
	}
	return r.free()
}

func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
