package exec

import (
	"context"
	"strings"
	"testing"
	"time"

	"boxrun.dev/guest/internal/wire"
)

// recorder tells what was written between flushes: each frame by its type, and "|" for a flush.
type recorder struct {
	log     strings.Builder
	flushed chan struct{}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.log.WriteByte("?oex"[b[0]])
	return len(b), nil
}

func (r *recorder) flush() error {
	r.log.WriteByte('|')
	r.flushed <- struct{}{}
	return nil
}

func TestAnswerIsHeldBackForAQuickCommand(t *testing.T) {
	begin := func() (*Exec, *Output) {
		e := &Exec{id: "e", ready: make(chan struct{}), over: make(chan struct{}), spool: NewSpool()}
		close(e.ready)
		o, err := e.Attach(0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return e, o
	}
	say := func(e *Exec, what wire.FrameType) {
		room, _ := e.spool.Reserve(1)
		e.spool.Commit(what, []byte{'x'}, room, false)
	}
	end := func(e *Exec) {
		e.spool.Close()
		e.finish(wire.Exit{Reason: wire.Exited})
	}
	write := func(o *Output, patience time.Time) (*recorder, <-chan error) {
		r, done := &recorder{flushed: make(chan struct{}, 8)}, make(chan error, 1)
		go func() { done <- o.WriteFrames(context.Background(), r, r.flush, patience) }()
		return r, done
	}
	check := func(r *recorder, done <-chan error, want string) {
		t.Helper()
		if err := <-done; err != nil || r.log.String() != want {
			t.Errorf("%q, %v; want %q", r.log.String(), err, want)
		}
	}
	long := time.Now().Add(time.Hour)

	e, o := begin()
	r, done := write(o, long)
	say(e, wire.Stdout)
	say(e, wire.Stderr)
	end(e)
	check(r, done, "oex")

	// One that goes on is answered when the patience is over, with what there is.
	e, o = begin()
	say(e, wire.Stdout)
	r, done = write(o, time.Now().Add(10*time.Millisecond))
	<-r.flushed
	say(e, wire.Stderr)
	<-r.flushed
	end(e)
	check(r, done, "o|e|x")

	// Without patience the head goes off at once.
	e, o = begin()
	r, done = write(o, time.Time{})
	<-r.flushed
	say(e, wire.Stdout)
	<-r.flushed
	end(e)
	check(r, done, "|o|x")
}
