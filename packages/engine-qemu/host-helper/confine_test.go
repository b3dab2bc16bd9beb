package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const confinedTest = "BOXRUN_CONFINED_TEST"

// TestMain makes the test program the one that is confined, too: `confine` of it becomes it again.
func TestMain(m *testing.M) {
	if os.Getenv(confinedTest) != "" && len(os.Args) > 2 && os.Args[1] == "confine" {
		c, err := readConfinement(os.Args[2:])
		if err == nil {
			err = runConfined(c)
		}
		os.Stderr.WriteString(err.Error())
		os.Exit(2)
	}
	if os.Getenv(placedTest) != "" {
		actAsQEMU()
	}
	if noNetwork := os.Getenv(fakePasst); noNetwork != "" {
		actAsPasst(noNetwork)
	}
	os.Exit(m.Run())
}

// confined runs one test of this file under a confinement, and gives what it printed.
func confined(t *testing.T, test string, options ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(append([]string{"confine"}, options...), self, "-test.v", "-test.run", "^"+test+"$")
	command := exec.Command(self, args...)
	command.Env = append(os.Environ(), confinedTest+"="+t.TempDir())
	said, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return string(said)
}

func TestNoSpecialFiles(t *testing.T) {
	dir := os.Getenv(confinedTest)
	if dir == "" {
		confined(t, "TestNoSpecialFiles", "-no-special-files")
		return
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	open, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, try := range []struct {
		name string
		call func() error
		want error
	}{
		{"chmod setuid", func() error { return syscall.Chmod(file, 0o4755) }, syscall.EPERM},
		{"chmod setgid", func() error { return syscall.Chmod(file, 0o2755) }, syscall.EPERM},
		{"fchmod setuid", func() error { return syscall.Fchmod(int(open.Fd()), 0o4755) }, syscall.EPERM},
		{"fchmodat setuid", func() error { return syscall.Fchmodat(-100, file, 0o4755, 0) }, syscall.EPERM},
		{"open setuid", func() error { return openErr(at("a"), 0o4755) }, syscall.EPERM},
		{"mknod of a setuid file", func() error { return syscall.Mknod(at("b"), syscall.S_IFREG|0o4755, 0) }, syscall.EPERM},
		{"mknod of a character device", func() error { return syscall.Mknod(at("c"), syscall.S_IFCHR|0o666, 0x103) }, syscall.EPERM},
		{"mknod of a block device", func() error { return syscall.Mknod(at("d"), syscall.S_IFBLK|0o666, 0x700) }, syscall.EPERM},
		{"openat2", func() error { return numberErr(sysOpenat2) }, syscall.ENOSYS},
		{"io_uring", func() error { return numberErr(sysIoUringSetup) }, syscall.ENOSYS},
		{"chmod", func() error { return syscall.Chmod(file, 0o1777) }, nil},
		{"open", func() error { return openErr(at("e"), 0o755) }, nil},
		{"mknod of a pipe", func() error { return syscall.Mknod(at("f"), syscall.S_IFIFO|0o644, 0) }, nil},
	} {
		if err := try.call(); !errors.Is(err, try.want) {
			t.Errorf("%s: got %v, want %v", try.name, err, try.want)
		}
	}
}

func openErr(path string, mode uint32) error {
	fd, err := syscall.Open(path, syscall.O_CREAT|syscall.O_WRONLY, mode)
	if err == nil {
		err = syscall.Close(fd)
	}
	return err
}

func numberErr(number uintptr) error {
	_, _, errno := syscall.RawSyscall(number, 0, 0, 0)
	return errno
}

func TestLimits(t *testing.T) {
	if os.Getenv(confinedTest) == "" {
		confined(t, "TestLimits", "-files", "77", "-data-bytes", "4294967296")
		return
	}
	for resource, want := range map[int]uint64{syscall.RLIMIT_NOFILE: 77, syscall.RLIMIT_DATA: 4 << 30, syscall.RLIMIT_CORE: 0} {
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(resource, &limit); err != nil || limit.Max != want {
			t.Errorf("resource %d: %+v, %v, want %d", resource, limit, err, want)
		}
	}
	if !strings.Contains(ownStatus(t), "NoNewPrivs:\t1") {
		t.Error("new privileges can be had")
	}
}

func TestAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	said := confinedStatus(t, "-uid", "54321", "-group", "7")
	for _, want := range []string{
		"Uid:\t54321\t54321\t54321\t54321", "Gid:\t54321\t54321\t54321\t54321", "Groups:\t7",
		"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in %s", want, said)
		}
	}
}

func confinedStatus(t *testing.T, options ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self, append(append([]string{"confine"}, options...), "/bin/cat", "/proc/self/status")...)
	command.Env = append(os.Environ(), confinedTest+"=x")
	said, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return string(said)
}

func ownStatus(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestConfineRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{{"relative"}, {}, {"-files", "many", "/bin/true"}, {"-unknown", "/bin/true"}, {"-uid", "1"}} {
		if _, err := readConfinement(args); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
