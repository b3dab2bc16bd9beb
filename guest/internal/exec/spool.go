package exec

import (
	"fmt"
	"sync"

	"boxrun.dev/guest/internal/wire"
)

// SpoolLimit is how much memory the output of one exec takes until it is acknowledged, in bytes.
const SpoolLimit = 1 << 20

// Spool keeps the output that was read and not acknowledged yet, in the order in which it was read. Writers reserve room
// before they read from the program, so that a full spool stops the program and loses nothing.
//
//	first                              end
//	+----------+----------+----------+
//	| oooeeooo | eoeoeoeo | oo       |   blocks; within one, runs of bytes of one stream
//	+----------+----------+----------+
//	   ^acked      ^reader's position
//
// What counts is what is held: a block with all its room, and its runs. In the worst case, streams that alternate byte by byte, that
// is some 4 bytes for each. The host acknowledges every 128 KiB at the latest, so the spool must never be full with less.
type Spool struct {
	mu      sync.Mutex
	blocks  []block
	first   uint64    // index of blocks[0] since the start; a reader's position stays valid when blocks go
	used    int       // bytes of memory held, and bytes reserved
	streams [3]stream // by wire.FrameType; 0 is unused
	closed  bool
	changed chan struct{} // closed and replaced when there is more to read
	freed   chan struct{} // closed and replaced when there is more room
}

type stream struct {
	end   uint64 // offset after the last byte read
	acked uint64 // everything before was freed, but for what shares a block with bytes that were not
}

// block holds bytes of both streams in the order in which they came.
type block struct {
	data []byte
	runs []run
	room int       // bytes of memory behind data
	from [3]uint64 // per stream: the offset of its first byte in here
	end  [3]uint64 // per stream: the offset after its last one
}

// run says how many of the next bytes belong to which stream: their number, and in the highest bit whether it is standard error.
type run uint16

const (
	maxRun    = 1<<15 - 1
	stderrRun = run(1 << 15)
	runSize   = 2
)

func (r run) stream() wire.FrameType {
	if r&stderrRun != 0 {
		return wire.Stderr
	}
	return wire.Stdout
}

func (r run) length() int { return int(r &^ stderrRun) }

func (b *block) size() int { return b.room + runSize*cap(b.runs) }

// add says that the next n bytes are t's.
func (b *block) add(t wire.FrameType, n int) {
	b.end[t] += uint64(n)
	if last := len(b.runs) - 1; last >= 0 && b.runs[last].stream() == t {
		more := min(n, maxRun-b.runs[last].length())
		b.runs[last] += run(more)
		n -= more
	}
	for n > 0 {
		r := run(min(n, maxRun))
		n -= int(r)
		if t == wire.Stderr {
			r |= stderrRun
		}
		b.runs = append(b.runs, r)
	}
}

// smallBlock is the room of a block made for few bytes: later ones are appended to it.
const smallBlock = 4096

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
// spool keeps the slice itself, a part of a buffer of readSize bytes.
func (s *Spool) Commit(t wire.FrameType, data []byte, reserved int, adopt bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= reserved
	if len(data) > 0 {
		b := s.place(len(data), adopt)
		if adopt {
			b.data, b.room = data, max(readSize, cap(data))
		} else {
			b.data = append(b.data, data...)
		}
		before := b.size()
		if len(b.runs) == 0 {
			before = 0
		}
		b.add(t, len(data))
		s.used += b.size() - before
		s.streams[t].end += uint64(len(data))
		wake(&s.changed)
	}
	if s.used < SpoolLimit {
		wake(&s.freed)
	}
}

// place gives the block for the next n bytes: the last one if they fit and are to be copied, else a new one.
func (s *Spool) place(n int, adopt bool) *block {
	if last := len(s.blocks) - 1; last >= 0 && !adopt {
		if b := &s.blocks[last]; cap(b.data)-len(b.data) >= n {
			return b
		}
	}
	ends := [3]uint64{0, s.streams[wire.Stdout].end, s.streams[wire.Stderr].end}
	b := block{from: ends, end: ends}
	if !adopt {
		b.room = max(smallBlock, n)
		b.data = make([]byte, 0, b.room)
	}
	s.blocks = append(s.blocks, b)
	return &s.blocks[len(s.blocks)-1]
}

// Close says that no more output comes.
func (s *Spool) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	wake(&s.changed)
}

// Ack says that everything of a stream before offset is not wanted any more; a block of which that is true is freed. An offset before
// an earlier one changes nothing; one after what was read is an error.
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
	st.acked = offset
	for len(s.blocks) > 0 {
		b := &s.blocks[0]
		if b.end[wire.Stdout] > s.streams[wire.Stdout].acked || b.end[wire.Stderr] > s.streams[wire.Stderr].acked {
			break
		}
		s.used -= b.size()
		*b = block{}
		s.blocks = s.blocks[1:]
		s.first++
	}
	wake(&s.freed)
	return nil
}

// Drained tells whether all output was read and acknowledged.
func (s *Spool) Drained() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed && len(s.blocks) == 0
}

// Cursor is one reader's place in a spool.
type Cursor struct {
	spool *Spool
	from  [3]uint64 // per stream: the next byte to give

	next    uint64 // index of the block to look at, counted as Spool.first
	entered bool   // whether what follows is of that block
	run, at int    // the run to look at, and where its bytes begin
	offsets [3]uint64
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
	for n < len(dst) {
		b, isLast := c.enter()
		if b == nil {
			break
		}
		r := b.runs[c.run]
		of := r.stream()
		begin := c.offsets[of]
		end := begin + uint64(r.length())
		if from := c.from[of]; from < end {
			if n > 0 && of != t {
				break
			}
			if n == 0 {
				t, offset = of, from
			}
			skip := int(from - begin)
			m := copy(dst[n:], b.data[c.at+skip:c.at+r.length()])
			n += m
			c.from[of] += uint64(m)
		}
		// The last run of all may still grow.
		if c.from[of] < end || isLast {
			break
		}
		c.offsets[of] = end
		c.at += r.length()
		c.run++
	}
	if n == 0 && !s.closed {
		wait = s.changed
	}
	return t, offset, n, n > 0 || !s.closed, wait
}

// enter gives the block to look at, and whether the run to look at is the last of all; nil if there is none.
func (c *Cursor) enter() (b *block, isLast bool) {
	s := c.spool
	if c.next < s.first {
		c.next, c.entered = s.first, false
	}
	for i := int(c.next - s.first); i < len(s.blocks); i++ {
		b = &s.blocks[i]
		if !c.entered {
			c.entered, c.run, c.at, c.offsets = true, 0, 0, b.from
		}
		if c.run < len(b.runs) {
			return b, i == len(s.blocks)-1 && c.run == len(b.runs)-1
		}
		c.next, c.entered = c.next+1, false
	}
	return nil, false
}

func wake(c *chan struct{}) {
	close(*c)
	*c = make(chan struct{})
}
