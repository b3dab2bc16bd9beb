package files

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"
)

// pieces are written as they are, whatever their length and place in memory.
type pieces [][]byte

func (p pieces) Read([]byte) (int, error) { return 0, io.EOF }

func (p pieces) WriteTo(w io.Writer) (written int64, err error) {
	for _, piece := range p {
		n, err := w.Write(piece)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// aligned is where writes past the page cache may come from. Different seeds give different bytes.
func aligned(length int, seed byte) []byte {
	b := make([]byte, length+directUnit)
	skip := -uintptr(unsafe.Pointer(&b[0])) & (directUnit - 1)
	b = b[skip : int(skip)+length]
	for i := range b {
		b[i] = seed + byte(i*7>>4)
	}
	return b
}

// Whether large pieces go past the page cache depends on the file system below; what is in the file does not.
func TestPiecesOfAnyLengthMakeTheSameFile(t *testing.T) {
	for name, body := range map[string]pieces{
		"large":                  {aligned(1<<20, 1), aligned(1<<20, 2), aligned(1000, 3)},
		"small, then large":      {aligned(64<<10, 1), aligned(1<<20, 2), aligned(1<<20, 3)},
		"odd, then large":        {aligned(300<<10+1, 1), aligned(1<<20, 2), aligned(1<<20, 3)},
		"large, odd, then large": {aligned(1<<20, 1), aligned(300<<10+1, 2), aligned(1<<20, 3)},
		"from anywhere":          {aligned(1<<20+1, 1)[1:], aligned(1<<20, 2)},
	} {
		file, err := os.Create(filepath.Join(t.TempDir(), "file"))
		check(t, err)
		check(t, copyAll(file, body))
		check(t, file.Close())
		got, err := os.ReadFile(file.Name())
		check(t, err)
		if !bytes.Equal(got, bytes.Join(body, nil)) {
			t.Errorf("%s: the file has other bytes than were written", name)
		}
	}
}

func TestLargePiecesGoPastThePageCacheAndOthersThroughIt(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	check(t, err)
	defer file.Close()
	if !setDirect(file, true) {
		t.Skipf("the file system of %s knows no way past the page cache", file.Name())
	}
	setDirect(file, false)
	isDirect := func() bool {
		flags, _, e := syscall.Syscall(syscall.SYS_FCNTL, file.Fd(), syscall.F_GETFL, 0)
		if e != 0 {
			t.Fatal(e)
		}
		return flags&syscall.O_DIRECT != 0
	}
	out := &sink{file: file}
	for _, step := range []struct {
		piece []byte
		want  bool
		why   string
	}{
		{aligned(1<<20, 1), true, "a large piece"},
		{aligned(4<<10, 2), false, "a short one"},
		{aligned(1<<20, 3), true, "a large one again"},
		{aligned(1<<20+1, 4), false, "one that is no whole sectors"},
		{aligned(1<<20, 5), false, "a large one in the middle of a sector, which is refused"},
		{aligned(1<<20, 6), false, "any that follows a refused one"},
	} {
		if _, err := out.Write(step.piece); err != nil {
			t.Fatalf("%s: %v", step.why, err)
		}
		if isDirect() != step.want {
			t.Errorf("%s: past the page cache: %v, want %v", step.why, isDirect(), step.want)
		}
	}
}
