package exec

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"boxrun.dev/guest/internal/wire"
)

// input gives standard input and the end that the program reads.
func input(t *testing.T) (*stdin, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	s := &stdin{}
	s.open(w, false)
	return s, r
}

func at(offset uint64, text string, eof bool) Input {
	return Input{Body: strings.NewReader(text), Offset: &offset, EOF: eof}
}

func TestWriterThatWaitsForTheProgramLeavesWithItsRequest(t *testing.T) {
	s, r := input(t)
	ctx, leave := context.WithCancel(context.Background())
	done := make(chan error)
	// The first fills the pipe, the others wait for their turn.
	for range 3 {
		go func() { done <- s.write(ctx, Input{Body: bytes.NewReader(make([]byte, 1<<20)), EOF: true}) }()
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(r, first); err != nil {
		t.Fatal(err)
	}
	leave()
	for range 3 {
		if err := <-done; !errors.Is(err, errLeft) {
			t.Errorf("%v", err)
		}
	}
	// Whoever comes next takes over where they were, and the input is still open.
	taken, _ := s.count()
	go func() { done <- s.write(context.Background(), at(taken, "end", true)) }()
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.HasSuffix(rest, []byte("end")) || len(rest)+1 != int(taken)+3 {
		t.Errorf("%d bytes after %d, %v", len(rest), taken, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestInputWithAnOffsetIsTakenOnce(t *testing.T) {
	s, r := input(t)
	ctx := context.Background()
	for _, c := range []struct {
		name    string
		in      Input
		failure string
		taken   uint64
	}{
		{"from the beginning", at(0, "abc", false), "", 3},
		{"the same again", at(0, "abc", false), "", 3},
		{"the same and more", at(1, "bcdef", false), "", 6},
		{"less than was taken", at(0, "ab", false), "", 6},
		{"a gap", at(7, "h", false), "goes on at byte 6, not at 7", 6},
		{"an end before what was taken", at(0, "ab", true), "can't end at byte 2", 6},
		{"the end", at(6, "g", true), "", 7},
		{"the end again", at(6, "g", true), "", 7},
		{"all of it again", at(0, "abcdefg", true), "", 7},
		{"behind the end", at(7, "h", false), "it is closed", 7},
		{"without an offset, behind the end", Input{Body: strings.NewReader(""), EOF: true}, "it is closed", 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := s.write(ctx, c.in)
			var known *wire.Error
			if c.failure == "" && err != nil || c.failure != "" && (!errors.As(err, &known) || !strings.Contains(known.Message, c.failure)) {
				t.Errorf("%v, want %q", err, c.failure)
			}
			if taken, _ := s.count(); taken != c.taken {
				t.Errorf("%d bytes were taken, want %d", taken, c.taken)
			}
		})
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "abcdefg" {
		t.Errorf("the program read %q, %v", got, err)
	}
}
