package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestASealedCopyHasWhatTheFileHasAndTakesNoWrite(t *testing.T) {
	const size = 8 << 20
	path := filepath.Join(t.TempDir(), "ram")
	content := make([]byte, size)
	copy(content[3*pageSize+17:], "in the middle of a page")
	copy(content[size-5:], "end!!")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{3 * pageSize, size - pageSize} {
		if _, err := f.WriteAt(content[at:at+pageSize], at); err != nil {
			t.Fatal(err)
		}
	}
	sealed, err := copyInMemory(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer sealed.Close()
	got := make([]byte, size)
	if _, err := sealed.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, content) {
		t.Error("the copy differs from the file")
	}
	if _, err := sealed.WriteAt([]byte("mine"), 0); err == nil {
		t.Error("the copy can be written")
	}
	if err := sealed.Truncate(0); err == nil {
		t.Error("the copy can be cut")
	}
	own, err := copyInMemory(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if _, err := own.WriteAt([]byte("mine"), 0); err != nil {
		t.Errorf("a copy that is not sealed can't be written: %v", err)
	}
	if _, err := f.ReadAt(got, 0); err != nil || !bytes.Equal(got, content) {
		t.Errorf("what was written into a copy is in the file, or that can't be read: %v", err)
	}
}
