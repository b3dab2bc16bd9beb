package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"boxrun.dev/guest/internal/wire"
)

func TestBinaryStdinComesBackByteForByte(t *testing.T) {
	a := startAgent(t, "/")
	random := rand.NewChaCha8([32]byte{1})
	want := make([]byte, 8<<20)
	_, _ = random.Read(want)
	start := wire.ExecStart{Argv: []string{"cat"}, Stdin: true}
	id := a.begin(t, start)
	go func() {
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 3_000_001)
			target := "/execs/" + id + "/stdin"
			if n == len(rest) {
				target += "?eof=true"
			}
			if _, err := a.Bytes("POST", target, bytes.NewReader(rest[:n])); err != nil {
				t.Error(err)
			}
			rest = rest[n:]
		}
	}()
	if r := a.finish(t, id); !bytes.Equal(r.Stdout, want) || r.Exit.Code != 0 {
		t.Errorf("%d bytes came back, exit %+v", len(r.Stdout), r.Exit)
	}
}

func TestStdinOfAnEndedProgramIsFinished(t *testing.T) {
	a := startAgent(t, "/")
	start := sh("sleep 0.2")
	start.Stdin = true
	id := a.begin(t, start)
	// More than a pipe takes: this waits until the program ends.
	_, err := a.Bytes("POST", "/execs/"+id+"/stdin", bytes.NewReader(make([]byte, 1<<20)))
	failure(t, err, wire.Finished, "")
	_, err = a.Bytes("POST", "/execs/"+id+"/stdin", strings.NewReader("x"))
	failure(t, err, wire.Finished, "")
	a.finish(t, id)

	start = sh("cat; sleep 0.2")
	start.Stdin = true
	id = a.begin(t, start)
	if _, err := a.Bytes("POST", "/execs/"+id+"/stdin?eof=true", strings.NewReader("last")); err != nil {
		t.Fatal(err)
	}
	_, err = a.Bytes("POST", "/execs/"+id+"/stdin", strings.NewReader("late"))
	failure(t, err, wire.Finished, "")
	if r := a.finish(t, id); string(r.Stdout) != "last" {
		t.Errorf("got %q", r.Stdout)
	}
}

func TestAbandonedInputHoldsUpNothing(t *testing.T) {
	a := startAgent(t, "/")
	start := sh("sleep 1000")
	start.Stdin = true
	id := a.begin(t, start)
	// More than the agent takes requests at once, in lots that are given up: the program reads nothing.
	for range 6 {
		ctx, giveUp := context.WithTimeout(context.Background(), 200*time.Millisecond)
		var lot sync.WaitGroup
		for range 200 {
			lot.Add(1)
			go func() {
				defer lot.Done()
				if _, err := a.Do(ctx, "POST", "/execs/"+id+"/stdin", bytes.NewReader(make([]byte, 128<<10))); err == nil {
					t.Error("more was taken than a pipe does")
				}
			}()
		}
		lot.Wait()
		giveUp()
	}
	if err := a.JSON("POST", "/execs/"+id+"/cancel", wire.Cancel{}, nil); err != nil {
		t.Error(err)
	}
	a.finish(t, id)
}

func TestProgramWaitsUntilOutputIsAcknowledged(t *testing.T) {
	a := startAgent(t, "/")
	file := filepath.Join(t.TempDir(), "done")
	id := a.begin(t, sh("head -c 3000000 /dev/zero; echo x > "+file))
	time.Sleep(300 * time.Millisecond)
	if _, err := os.Stat(file); err == nil {
		t.Error("the program went on although nobody acknowledged anything")
	}
	if r := a.finish(t, id); len(r.Stdout) != 3_000_000 {
		t.Errorf("%d bytes", len(r.Stdout))
	}
}

func TestOutputResumesOnANewConnection(t *testing.T) {
	a := startAgent(t, "/")
	id := a.begin(t, sh("i=0; while [ $i -lt 30000 ]; do echo $i; i=$((i+1)); done; exit 5"))
	var want bytes.Buffer
	for i := range 30000 {
		fmt.Fprintln(&want, i)
	}
	var got []byte
	for cuts := 0; ; cuts++ {
		o, err := a.Read(id, uint64(len(got)), 0)
		if err != nil {
			t.Fatal(err)
		}
		for frames := 0; frames < 2 || cuts > 10; frames++ {
			f, payload, err := o.Next()
			if err != nil {
				t.Fatal(err)
			}
			if f.Type == wire.ExitType {
				if !bytes.Equal(got, want.Bytes()) || !strings.Contains(string(payload), `"code":5`) {
					t.Errorf("%d bytes, want %d; exit %s", len(got), want.Len(), payload)
				}
				return
			}
			if f.Offset != uint64(len(got)) {
				t.Fatalf("frame at %d, want %d", f.Offset, len(got))
			}
			keep := len(payload)
			if frames == 1 && cuts <= 10 {
				keep /= 2 // as if the host had stored a part only
			}
			got = append(got, payload[:keep]...)
			_ = o.Ack(wire.Stdout, uint64(len(got)))
		}
		a.reconnect(t)
	}
}

func TestNewReaderEndsTheOldOne(t *testing.T) {
	a := startAgent(t, "/")
	id := a.begin(t, sh("echo one; sleep 0.3; echo two"))
	first, err := a.Read(id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, payload, err := first.Next(); err != nil || string(payload) != "one\n" {
		t.Fatalf("%q, %v", payload, err)
	}
	r := a.finish(t, id)
	if _, _, err := first.Next(); err == nil {
		t.Error("the old reader got another frame")
	}
	if string(r.Stdout) != "one\ntwo\n" {
		t.Errorf("the new reader got %q", r.Stdout)
	}
}

func TestFirstByteIsNotDelayed(t *testing.T) {
	a := startAgent(t, "/")
	id := a.begin(t, sh("printf x; sleep 1; printf y"))
	o, err := a.Read(id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, payload, err := o.Next(); err != nil || string(payload) != "x" || time.Since(began) > 800*time.Millisecond {
		t.Errorf("%q, %v after %v", payload, err, time.Since(began))
	}
	o.Close()
	a.finish(t, id)
}
