package bulk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

// newArea is one on a file, past the page cache where its file system can do that.
func newArea(t *testing.T) (*Area, *os.File) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	host, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close() })
	if err := host.Truncate(2 * Slots * SlotSize); err != nil {
		t.Fatal(err)
	}
	area, err := Open(path)
	if errors.Is(err, syscall.EINVAL) {
		t.Skip("the file system of the tests knows no direct reads")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { area.file.Close() })
	return area, host
}

func head(slot byte, length int) []byte {
	b := make([]byte, headSize)
	putHead(b, slot, length)
	return b
}

func noise(n int) []byte {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

func TestReaderGivesWhatIsInSlotsAndOnTheLine(t *testing.T) {
	area, host := newArea(t)
	full, part := noise(SlotSize), noise(70_001)
	for slot, content := range map[int64][]byte{2: full, 0: part} {
		if _, err := host.WriteAt(content, slot*SlotSize); err != nil {
			t.Fatal(err)
		}
	}
	body := bytes.Join([][]byte{head(2, len(full)), head(inline, 3), []byte("abc"), head(0, len(part)), head(endOfBody, 0)}, nil)
	want := bytes.Join([][]byte{full, []byte("abc"), part}, nil)
	for name, read := range map[string]func(*Reader) ([]byte, error){
		"read": func(r *Reader) ([]byte, error) { return io.ReadAll(struct{ io.Reader }{r}) },
		"written": func(r *Reader) ([]byte, error) {
			var out bytes.Buffer
			_, err := r.WriteTo(&out)
			return out.Bytes(), err
		},
	} {
		freed := 0
		r := NewReader(area, iotest.HalfReader(bytes.NewReader(body)), func() error { freed++; return nil })
		got, err := read(r)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if err := r.Close(); err != nil || freed != 2 {
			t.Errorf("%s: %d slots were freed, %v", name, freed, err)
		}
	}
}

func TestReaderRefusesABodyThatIsNoneOrIsCutOff(t *testing.T) {
	area, _ := newArea(t)
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"no end":              {head(0, 5), "unexpected EOF"},
		"half a head":         {head(0, 5)[:3], "unexpected EOF"},
		"half a piece":        {append(head(inline, 5), 'a'), "unexpected EOF"},
		"the agent's slot":    {head(Slots, 5), "slot 8"},
		"too much":            {head(0, SlotSize+1), "want 1 to"},
		"nothing":             {head(0, 0), "want 1 to"},
		"too much inline":     {head(inline, inlineMax+1), "want 1 to"},
		"an end with content": {head(endOfBody, 1), "want 0 to 0"},
		"more behind the end": {append(head(endOfBody, 0), 'a'), "behind the end"},
	} {
		r := NewReader(area, bytes.NewReader(c.body), func() error { return nil })
		_, err := io.ReadAll(r)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		r.Close()
	}
}

// collect puts together what a Writer has said.
func collect(t *testing.T, host *os.File, said []byte) (content []byte, slots []byte) {
	t.Helper()
	for len(said) > 0 {
		slot, length := said[0], int(uint32(said[1])<<24|uint32(said[2])<<16|uint32(said[3])<<8|uint32(said[4]))
		said = said[headSize:]
		switch slot {
		case endOfBody:
			if len(said) > 0 {
				t.Fatalf("%d bytes behind the end", len(said))
			}
			return content, slots
		case inline:
			content = append(content, said[:length]...)
			said = said[length:]
		default:
			b := make([]byte, length)
			if _, err := host.ReadAt(b, int64(slot)*SlotSize); err != nil {
				t.Fatal(err)
			}
			content = append(content, b...)
		}
		slots = append(slots, slot)
	}
	t.Fatal("no end")
	return nil, nil
}

func TestWriterFillsTheSlotsThatItIsLent(t *testing.T) {
	area, host := newArea(t)
	content := noise(2*SlotSize + 3000)
	for name, write := range map[string]func(*Writer) error{
		"written": func(w *Writer) error {
			_, err := io.Copy(struct{ io.Writer }{w}, iotest.HalfReader(bytes.NewReader(content)))
			return err
		},
		"read": func(w *Writer) error {
			_, err := w.ReadFrom(iotest.DataErrReader(bytes.NewReader(content)))
			return err
		},
	} {
		var out bytes.Buffer
		w := NewWriter(context.Background(), area, bytes.NewReader([]byte{9, 12}), &out, func() error { return nil })
		if err := errors.Join(write(w), w.End()); err != nil {
			t.Fatal(name, err)
		}
		w.Close()
		got, slots := collect(t, host, out.Bytes())
		if !bytes.Equal(got, content) || !bytes.Equal(slots, []byte{9, 12, inline}) {
			t.Errorf("%s: %d bytes, slots %v", name, len(got), slots)
		}
	}
}

func TestWriterUsesNoSlotOnceItIsGivenUp(t *testing.T) {
	area, host := newArea(t)
	ctx, giveUp := context.WithCancel(context.Background())
	w := NewWriter(ctx, area, bytes.NewReader([]byte{8}), io.Discard, func() error { return nil })
	// It has the slot, and another transfer writes to it at that moment.
	area.turns[0].Lock()
	if _, err := w.Write(bytes.Repeat([]byte("x"), SlotSize)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); len(w.lent) > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	giveUp()
	area.turns[0].Unlock()
	if err := w.End(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	w.Close()
	b := make([]byte, 1)
	if _, err := host.ReadAt(b, Slots*SlotSize); err != nil || b[0] != 0 {
		t.Errorf("the slot has %q, %v", b, err)
	}
}

func TestWriterSendsOverTheLineWhatTheDiskDoesNotTake(t *testing.T) {
	area, host := newArea(t)
	readOnly, err := os.Open(host.Name())
	if err != nil {
		t.Fatal(err)
	}
	area.file.Close()
	area.file = readOnly
	content := noise(SlotSize + 1)
	var out bytes.Buffer
	w := NewWriter(context.Background(), area, bytes.NewReader([]byte{8}), &out, func() error { return nil })
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	got, slots := collect(t, host, out.Bytes())
	if !bytes.Equal(got, content) || bytes.Contains(slots, []byte{8}) {
		t.Errorf("%d bytes, slots %v", len(got), slots)
	}
}
