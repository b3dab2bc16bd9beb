package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"boxrun.dev/guest/internal/hostside"
	"boxrun.dev/guest/internal/wire"
)

func TestFilesOverTheLine(t *testing.T) {
	a := startAgent(t, t.TempDir())
	big := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	odd := "/dir/sp ace+&=%\xff\n"
	if _, err := a.Bytes("PUT", hostside.Path("/files", odd)+"&mode=0750", bytes.NewReader(big)); err != nil {
		t.Fatal(err)
	}
	answer, err := a.Do(context.Background(), "GET", hostside.Path("/files", odd), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(answer.Body)
	if err != nil || !bytes.Equal(got, big) || answer.ContentLength != int64(len(big)) {
		t.Errorf("%d bytes, length %d, %v", len(got), answer.ContentLength, err)
	}
	stream, err := a.Bytes("GET", "/tar?path=/dir", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Bytes("PUT", "/tar?path=/copy", bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	text, err := a.Bytes("GET", "/list?path=/copy", nil)
	if err != nil {
		t.Fatal(err)
	}
	var listing struct{ Entries []wire.Entry }
	if err := json.Unmarshal(text, &listing); err != nil {
		t.Fatal(err)
	}
	if len(listing.Entries) != 1 || string(listing.Entries[0].NameB64) != odd[5:] || listing.Entries[0].Mode != "0750" {
		t.Errorf("%s", text)
	}
	if err := a.JSON("DELETE", "/files?path=/copy", nil, nil); err != nil {
		t.Fatal(err)
	}
	failure(t, a.JSON("GET", "/list?path=/copy", nil, nil), wire.NotFound, "/copy")
	failure(t, a.JSON("PUT", "/files?path=/x&mode=9", nil, nil), wire.BadRequest, "mode")
	if err := a.JSON("POST", "/sync", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestUploadCutOffByAHangUpLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	a := startAgent(t, dir)
	sent := make(chan struct{})
	body := io.MultiReader(bytes.NewReader(make([]byte, 300_000)), readerFunc(func([]byte) (int, error) {
		close(sent)
		select {}
	}))
	go func() { _, _ = a.Bytes("PUT", "/files?path=/f", body) }()
	<-sent
	eventually(t, "the upload has begun", func() bool {
		names, _ := os.ReadDir(dir)
		return len(names) == 1
	})
	a.reconnect(t)
	eventually(t, "nothing is left", func() bool {
		names, _ := os.ReadDir(dir)
		return len(names) == 0
	})

	// The same, but only this one request is called off.
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(200*time.Millisecond, cancel)
	hung := io.MultiReader(strings.NewReader("part"), readerFunc(func([]byte) (int, error) {
		<-ctx.Done()
		return 0, errors.New("called off")
	}))
	if _, err := a.Do(ctx, "PUT", "/files?path=/f", hung); err == nil {
		t.Error("an upload that was called off succeeded")
	}
	eventually(t, "nothing is left", func() bool {
		names, _ := os.ReadDir(dir)
		return len(names) == 0
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestUsageOverTheLine(t *testing.T) {
	a := startAgent(t, t.TempDir())
	var u wire.Usage
	if err := a.JSON("GET", "/usage", nil, &u); err != nil {
		t.Fatal(err)
	}
	if u.CPUMS == 0 || u.MemoryUsed == 0 || u.MemoryUsed > u.MemoryTotal || u.DiskUsed == 0 || u.DiskUsed > u.DiskSize || u.Processes == 0 {
		t.Errorf("%+v", u)
	}
}
