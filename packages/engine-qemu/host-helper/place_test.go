package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const (
	placedTest = "BOXRUN_PLACED_TEST"
	placedSize = 48<<20 + 3*pageSize
	// Where the file has something: two stretches with a hole between them that is too small to be worth one, and one at its end.
	nearAt, besideAt, lastAt = 1 << 20, 1<<20 + 2*pageSize, placedSize - pageSize
	holeAt                   = 8 << 20
)

// actAsQEMU has memory of that size, and a file of that size as its descriptor 3. It waits for a line, as QEMU does for its monitor's, and says then what is where.
func actAsQEMU() {
	// Between pages that nobody may touch, as QEMU's is: the kernel would make one mapping of it and of what happens to be beside it.
	around, err := syscall.Mmap(-1, 0, placedSize+2*pageSize, syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		os.Exit(3)
	}
	memory := around[pageSize : pageSize+placedSize]
	if err := syscall.Mprotect(memory, syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
		os.Exit(3)
	}
	fmt.Println("waits")
	if line, err := bufio.NewReader(os.Stdin).ReadString('\n'); line != "go on\n" {
		fmt.Println("it reads", line, err)
		os.Exit(4)
	}
	for _, at := range []int{0, nearAt, besideAt, holeAt, lastAt} {
		fmt.Printf("%q\n", memory[at:at+4])
	}
	copy(memory[nearAt:], "mine")
	fmt.Printf("%q\n", memory[nearAt:nearAt+4])
	runtime.KeepAlive(memory)
	os.Exit(0)
}

func templateFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ram")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(placedSize); err != nil {
		t.Fatal(err)
	}
	for at, text := range map[int64]string{nearAt: "near", besideAt: "next", lastAt: "last"} {
		if _, err := f.WriteAt([]byte(text), at); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func TestPlace(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("memory is mapped into a process on amd64 alone")
	}
	file := templateFile(t)
	template, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer template.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), placedTest+"=1")
	command.ExtraFiles = []*os.File{template}
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer command.Wait()
	defer command.Process.Kill()
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "waits\n" {
		t.Fatalf("it says %q (%v)", line, err)
	}
	var said bytes.Buffer
	if err := place(file, 3, strings.NewReader(fmt.Sprintln(command.Process.Pid)), &said); err != nil {
		t.Fatal(err)
	}
	if said.String() != "placed\n" {
		t.Errorf("the helper says %q", said.String())
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(maps, []byte(file)); n != 2 {
		t.Errorf("the file is mapped in %d pieces, want 2:\n%s", n, maps)
	}
	if _, err := io.WriteString(in, "go on\n"); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	const want = `"\x00\x00\x00\x00"` + "\n\"near\"\n\"next\"\n" + `"\x00\x00\x00\x00"` + "\n\"last\"\n\"mine\"\n"
	if string(rest) != want {
		t.Errorf("it has\n%s, want\n%s", rest, want)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("it ended: %v", err)
	}
	content := make([]byte, 4)
	if _, err := template.ReadAt(content, nearAt); err != nil || string(content) != "near" {
		t.Errorf("the file has %q (%v)", content, err)
	}
}

func TestPlaceWithoutSuchAMemory(t *testing.T) {
	command := exec.Command("sleep", "60")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer command.Wait()
	defer command.Process.Kill()
	err := place(templateFile(t), 3, strings.NewReader(fmt.Sprintln(command.Process.Pid)), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "it has 0 mappings of") {
		t.Errorf("%v", err)
	}
}

func TestMemoryOf(t *testing.T) {
	const size = 0x10000
	for _, try := range []struct {
		name, maps string
		want       uint64
	}{
		{"found", "7f0000000000-7f0000010000 rw-p 00000000 00:00 0 \n7f0000010000-7f0000011000 ---p 00000000 00:00 0 \n", 0x7f0000000000},
		{"of a file", "7f0000000000-7f0000010000 rw-p 00000000 00:01 7 /memfd:x (deleted)\n", 0},
		{"shared", "7f0000000000-7f0000010000 rw-s 00000000 00:00 0 \n", 0},
		{"another size", "7f0000000000-7f0000011000 rw-p 00000000 00:00 0 \n", 0},
		{"two", "7f0000000000-7f0000010000 rw-p 00000000 00:00 0 \n7f0000020000-7f0000030000 rw-p 00000000 00:00 0 \n", 0},
		{"a heap", "7f0000000000-7f0000010000 rw-p 00000000 00:00 0 [heap]\n", 0},
	} {
		t.Run(try.name, func(t *testing.T) {
			got, err := memoryOf([]byte(try.maps), size)
			if got != try.want || (err != nil) != (try.want == 0) {
				t.Errorf("got %x, %v", got, err)
			}
		})
	}
}
