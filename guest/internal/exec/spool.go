package exec

import (
	"fmt"
	"sync"

	"boxrun.dev/guest/internal/wire"
)

// SpoolLimit is how many bytes of output of one exec are kept until they are acknowledged.
const SpoolLimit = 1 << 20

// Spool keeps the output that was read and not acknowledged yet, in the order in which it was read. Writers reserve room
// before they read from the program, so that a full spool stops the program and loses nothing.
//
//	first                                     end
//	+-----------+--------+-----------+--------+
//	| stdout    | stderr | stdout    | stdout |   chunks; per stream the offsets are without gaps
//	+-----------+--------+-----------+--------+
//	   ^acked                ^reader's position
type Spool struct {
	mu      sync.Mutex
	chunks  []chunk
	first   uint64    // index of chunks[0] since the start; a reader's position stays valid when chunks go
	used    int       // bytes in chunks that are not acknowledged, and bytes reserved
	streams [3]stream // by wire.FrameType; 0 is unused
	closed  bool
	changed chan struct{} // closed and replaced when there is more to read
	freed   chan struct{} // closed and replaced when there is more room
}

type stream struct {
	end   uint64 // offset after the last byte read
	acked uint64 // everything before was freed
}

type chunk struct {
	stream wire.FrameType
	offset uint64 // of data[0] in its stream
	data   []byte
}

// smallChunk is the capacity of a chunk made for few bytes: later ones are appended to it.
const smallChunk = 4096

// NewSpool makes an empty one.
func NewSpool() *Spool {
	return &Spool{changed: make(chan struct{}), freed: make(chan struct{})}
}

// Reserve takes room for at most n bytes and tells how much it got. If there is none, wait is closed when that may have
// changed.
func (s *Spool) Reserve(n int) (got int, wait <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got = min(n, SpoolLimit-s.used)
	if got <= 0 {
		return 0, s.freed
	}
	s.used += got
	return got, nil
}

// Commit appends data, which came into room reserved before, and gives back what was not needed. If adopt is true the
// spool keeps the slice itself.
func (s *Spool) Commit(t wire.FrameType, data []byte, reserved int, adopt bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= reserved - len(data)
	if reserved > len(data) {
		wake(&s.freed)
	}
	if len(data) == 0 {
		return
	}
	st := &s.streams[t]
	if adopt {
		s.chunks = append(s.chunks, chunk{t, st.end, data})
	} else {
		s.copyIn(t, st.end, data)
	}
	st.end += uint64(len(data))
	wake(&s.changed)
}

func (s *Spool) copyIn(t wire.FrameType, offset uint64, data []byte) {
	if n := len(s.chunks); n > 0 {
		last := &s.chunks[n-1]
		if last.stream == t && cap(last.data)-len(last.data) >= len(data) {
			last.data = append(last.data, data...)
			return
		}
	}
	fresh := append(make([]byte, 0, max(smallChunk, len(data))), data...)
	s.chunks = append(s.chunks, chunk{t, offset, fresh})
}

// Close says that no more output comes.
func (s *Spool) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	wake(&s.changed)
}

// Ack frees everything of a stream before offset. An offset before an earlier one changes nothing; one after what was
// read is an error.
func (s *Spool) Ack(t wire.FrameType, offset uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.streams[t]
	if offset > st.end {
		return fmt.Errorf("acknowledge stream %d to %d: only %d bytes were read", t, offset, st.end)
	}
	if offset <= st.acked {
		return nil
	}
	s.used -= int(offset - st.acked)
	st.acked = offset
	for len(s.chunks) > 0 && s.chunks[0].end() <= s.streams[s.chunks[0].stream].acked {
		s.chunks[0] = chunk{}
		s.chunks = s.chunks[1:]
		s.first++
	}
	// A chunk behind one of the other stream that is still wanted keeps its place but not its bytes.
	for i := range s.chunks {
		if c := &s.chunks[i]; c.stream == t && c.data != nil && c.end() <= offset {
			*c = chunk{stream: t, offset: c.end()}
		}
	}
	wake(&s.freed)
	return nil
}

// Drained tells whether all output was read and acknowledged.
func (s *Spool) Drained() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed && len(s.chunks) == 0
}

func (c chunk) end() uint64 { return c.offset + uint64(len(c.data)) }

// Cursor is one reader's place in a spool.
type Cursor struct {
	spool *Spool
	next  uint64    // index of the chunk to look at, counted as Spool.first
	from  [3]uint64 // per stream: the next byte to give
}

// Cursor begins to read at the given offsets, and acknowledges everything before them. It fails if these bytes were
// already freed or do not exist yet.
func (s *Spool) Cursor(stdout, stderr uint64) (*Cursor, error) {
	c := &Cursor{spool: s, from: [3]uint64{0, stdout, stderr}}
	for _, t := range []wire.FrameType{wire.Stdout, wire.Stderr} {
		s.mu.Lock()
		st := s.streams[t]
		s.mu.Unlock()
		if c.from[t] < st.acked {
			return nil, fmt.Errorf("read stream %d from %d: acknowledged to %d before, and freed", t, c.from[t], st.acked)
		}
		if c.from[t] > st.end {
			return nil, fmt.Errorf("read stream %d from %d: only %d bytes were read", t, c.from[t], st.end)
		}
	}
	for _, t := range []wire.FrameType{wire.Stdout, wire.Stderr} {
		if err := s.Ack(t, c.from[t]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Next copies the next bytes of one stream to dst. With n 0, either more is false and nothing comes any more, or wait is
// closed when there is something new.
func (c *Cursor) Next(dst []byte) (t wire.FrameType, offset uint64, n int, more bool, wait <-chan struct{}) {
	s := c.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	c.next = max(c.next, s.first)
	for i := int(c.next - s.first); i < len(s.chunks); i++ {
		k := &s.chunks[i]
		from := c.from[k.stream]
		if from >= k.end() {
			c.advance(i)
			continue
		}
		if n > 0 && k.stream != t {
			break
		}
		if n == 0 {
			t, offset = k.stream, from
		}
		m := copy(dst[n:], k.data[from-k.offset:])
		c.from[t] += uint64(m)
		n += m
		if n == len(dst) {
			break
		}
		c.advance(i)
	}
	if n == 0 && !s.closed {
		wait = s.changed
	}
	return t, offset, n, n > 0 || !s.closed, wait
}

// advance steps over chunk i, except if it is the last one: that may still grow.
func (c *Cursor) advance(i int) {
	if i < len(c.spool.chunks)-1 {
		c.next = c.spool.first + uint64(i) + 1
	}
}

func wake(c *chan struct{}) {
	close(*c)
	*c = make(chan struct{})
}
