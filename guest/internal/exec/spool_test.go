package exec

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unsafe"

	"boxrun.dev/guest/internal/wire"
)

func put(t *testing.T, s *Spool, stream wire.FrameType, data []byte) {
	t.Helper()
	room, full := s.Reserve(len(data))
	if full != nil || room < len(data) {
		t.Fatalf("reserve %d: got %d", len(data), room)
	}
	s.Commit(stream, data, room, len(data)%16 == 0)
}

// drain reads everything there is through frames of at most size bytes.
func drain(t *testing.T, c *Cursor, size int) (streams [3][]byte, order string) {
	t.Helper()
	starts := c.from
	buf := make([]byte, size)
	for {
		stream, offset, n, _, _ := c.Next(buf)
		if n == 0 {
			return streams, order
		}
		if want := starts[stream] + uint64(len(streams[stream])); offset != want {
			t.Fatalf("stream %d: frame at %d, want %d", stream, offset, want)
		}
		streams[stream] = append(streams[stream], buf[:n]...)
		order += map[wire.FrameType]string{wire.Stdout: "o", wire.Stderr: "e"}[stream]
	}
}

func TestSpoolResumesAtAnyByte(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	s := NewSpool()
	var want [3][]byte
	for range 60 {
		stream := wire.FrameType(1 + random.IntN(2))
		data := make([]byte, 1+random.IntN(700))
		for i := range data {
			data[i] = byte(random.IntN(256))
		}
		want[stream] = append(want[stream], data...)
		put(t, s, stream, append([]byte(nil), data...))
	}
	out, errs := 0, 0
	for out < len(want[1]) || errs < len(want[2]) {
		c, err := s.Cursor(uint64(out), uint64(errs))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := drain(t, c, 1+random.IntN(900))
		if !bytes.Equal(got[1], want[1][out:]) || !bytes.Equal(got[2], want[2][errs:]) {
			t.Fatalf("from %d/%d: other bytes than were written", out, errs)
		}
		out = min(out+random.IntN(400), len(want[1]))
		errs = min(errs+random.IntN(400), len(want[2]))
	}
	s.Close()
	if _, err := s.Cursor(uint64(out), uint64(errs)); err != nil || !s.Drained() {
		t.Errorf("after the last acknowledgement: %v, drained %v", err, s.Drained())
	}
}

func TestSpoolKeepsTheOrderBetweenStreams(t *testing.T) {
	s := NewSpool()
	for _, w := range []struct {
		stream wire.FrameType
		text   string
	}{{1, "a"}, {1, "b"}, {2, "c"}, {1, "d"}, {2, "e"}, {2, "f"}} {
		put(t, s, w.stream, []byte(w.text))
	}
	c, err := s.Cursor(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, order := drain(t, c, 100)
	if string(got[1]) != "abd" || string(got[2]) != "cef" || order != "oeoe" {
		t.Errorf("got %q %q in order %s", got[1], got[2], order)
	}
	put(t, s, 2, []byte("g")) // appended to the chunk that was just read to its end
	if got, _ := drain(t, c, 100); string(got[2]) != "g" {
		t.Errorf("later bytes: %q", got[2])
	}
}

func TestSpoolIsFullUntilAcknowledged(t *testing.T) {
	s := NewSpool()
	const length = 64 << 10
	for {
		room, full := s.Reserve(length)
		if full != nil {
			break
		}
		s.Commit(wire.Stdout, make([]byte, room), room, true)
	}
	room, full := s.Reserve(1)
	if room != 0 || full == nil {
		t.Fatalf("a full spool gave room for %d", room)
	}
	if err := s.Ack(wire.Stdout, length); err != nil {
		t.Fatal(err)
	}
	select {
	case <-full:
	default:
		t.Error("an acknowledgement did not wake the writer")
	}
	if room, _ := s.Reserve(length); room < length-SpoolLimit/length*runSize*8 {
		t.Errorf("room for %d after %d bytes were acknowledged", room, length)
	}
}

// held is the memory that a spool really has in its hands.
func held(s *Spool) int {
	bytes := cap(s.blocks) * int(unsafe.Sizeof(block{}))
	for _, b := range s.blocks {
		bytes += b.room + runSize*cap(b.runs)
	}
	return bytes
}

func TestSpoolCountsWhatItHolds(t *testing.T) {
	for _, c := range []struct {
		name  string
		sizes []int // of what comes from standard output and standard error in turn
	}{
		{"byte by byte", []int{1, 1}},
		{"4 bytes each", []int{4, 4}},
		{"lines", []int{60, 60}},
		{"one byte between blocks", []int{readSize, 1}},
		{"buffers that are kept half empty", []int{adoptSize, adoptSize}},
		{"one stream", []int{7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewSpool()
			kept, buf := 0, make([]byte, readSize)
			for i := 0; ; i++ {
				size := c.sizes[i%len(c.sizes)]
				room, full := s.Reserve(readSize)
				if full != nil {
					break
				}
				size = min(size, room)
				if size >= adoptSize {
					buf = make([]byte, readSize)
				}
				s.Commit(wire.FrameType(1+i%len(c.sizes)), buf[:size:size], room, size >= adoptSize)
				kept += size
			}
			if got := held(s); got > SpoolLimit+SpoolLimit/4 {
				t.Errorf("a full spool holds %d bytes", got)
			}
			// What the host keeps unacknowledged.
			if kept <= 128<<10 {
				t.Errorf("a full spool has only %d bytes of output: a host would never acknowledge them", kept)
			}
		})
	}
}

func TestReservedRoomThatIsNotUsedComesBack(t *testing.T) {
	s := NewSpool()
	room, _ := s.Reserve(SpoolLimit)
	_, full := s.Reserve(1)
	s.Commit(wire.Stderr, []byte("x"), room, false)
	select {
	case <-full:
	default:
		t.Error("the other stream's writer was not woken")
	}
	if room, _ := s.Reserve(SpoolLimit); room < SpoolLimit-2*smallBlock {
		t.Errorf("room for %d, want all but what one byte takes", room)
	}
}

func TestAcknowledgements(t *testing.T) {
	for _, c := range []struct {
		name   string
		stream wire.FrameType
		offset uint64
		fails  bool
		cursor [2]uint64
		lost   bool // reading from cursor then fails
	}{
		{"nothing", wire.Stdout, 0, false, [2]uint64{0, 0}, false},
		{"within", wire.Stdout, 3, false, [2]uint64{3, 0}, false},
		{"then from before", wire.Stdout, 3, false, [2]uint64{2, 0}, true},
		{"everything", wire.Stdout, 6, false, [2]uint64{6, 0}, false},
		{"more than there is", wire.Stdout, 7, true, [2]uint64{0, 0}, false},
		{"the other stream behind", wire.Stderr, 4, false, [2]uint64{0, 4}, false},
		{"reading beyond the end", wire.Stderr, 0, false, [2]uint64{0, 5}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewSpool()
			put(t, s, wire.Stdout, []byte("stdout"))
			put(t, s, wire.Stderr, []byte("serr"))
			if err := s.Ack(c.stream, c.offset); (err != nil) != c.fails {
				t.Errorf("ack: %v", err)
			}
			cursor, err := s.Cursor(c.cursor[0], c.cursor[1])
			if (err != nil) != c.lost {
				t.Fatalf("cursor: %v", err)
			}
			if err != nil {
				return
			}
			got, _ := drain(t, cursor, 100)
			if string(got[1]) != "stdout"[c.cursor[0]:] || string(got[2]) != "serr"[c.cursor[1]:] {
				t.Errorf("got %q %q", got[1], got[2])
			}
		})
	}
}
