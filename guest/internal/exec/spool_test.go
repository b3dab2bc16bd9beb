package exec

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"boxrun.dev/guest/internal/wire"
)

func put(t *testing.T, s *Spool, stream wire.FrameType, data []byte) {
	t.Helper()
	room, full := s.Reserve(len(data))
	if full != nil || room < len(data) {
		t.Fatalf("reserve %d: got %d", len(data), room)
	}
	s.Commit(stream, data, room, len(data)%2 == 0)
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
	block := make([]byte, 64<<10)
	for range SpoolLimit / len(block) {
		put(t, s, wire.Stdout, append([]byte(nil), block...))
	}
	room, full := s.Reserve(1)
	if room != 0 || full == nil {
		t.Fatalf("a full spool gave room for %d", room)
	}
	if err := s.Ack(wire.Stdout, 10); err != nil {
		t.Fatal(err)
	}
	select {
	case <-full:
	default:
		t.Error("an acknowledgement did not wake the writer")
	}
	if room, _ := s.Reserve(100); room != 10 {
		t.Errorf("room for %d after 10 bytes were acknowledged", room)
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
	if room, _ := s.Reserve(SpoolLimit); room != SpoolLimit-1 {
		t.Errorf("room for %d, want all but one byte", room)
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
