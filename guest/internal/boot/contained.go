package boot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"boxrun.dev/guest/internal/cgroup"
	"boxrun.dev/guest/internal/exec"
	"boxrun.dev/guest/internal/files"
	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/proc"
	"boxrun.dev/guest/internal/reclaim"
	"boxrun.dev/guest/internal/server"
	"boxrun.dev/guest/internal/wire"
)

// Contained is a machine that somebody else has booted, with a container in it whose PID 1 the agent is: a BoxLite box. The
// container's root is the box's, on the box's disk already; what is mounted over it is made what a box finds on every engine.
type Contained struct {
	procs       *proc.Table
	agentDir    string
	prepared    func() (*preparation, error)
	poweringOff sync.Once
}

// preparation is a box that lacks only what the host has to say.
type preparation struct {
	root  *inroot.Root
	execs *exec.Manager
}

// NewContained makes the machine. agentDir is where the image has the agent: no program of the box is to see it.
func NewContained(procs *proc.Table, agentDir string) *Contained {
	limitMemory()
	calmMonitor()
	m := &Contained{procs: procs, agentDir: agentDir}
	m.prepared = sync.OnceValues(m.prepare)
	return m
}

// cover hides the agent's program, which the next life of the box needs, from what runs in this one: neither seen nor removed by mistake.
func (m *Contained) cover() error {
	return mount{"tmpfs", m.agentDir, "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=0700,size=32m,nr_inodes=64"}.do()
}

// Succeed runs another agent in this one's place. It returns only if that fails.
func (m *Contained) Succeed(program []byte) error {
	if _, err := m.prepared(); err != nil {
		return err
	}
	// In the cover, which the other agent renews.
	file := filepath.Join(m.agentDir, "boxrun-agent")
	if err := os.WriteFile(file, program, 0o700); err != nil {
		return err
	}
	return syscall.Exec(file, os.Args, os.Environ())
}

// Prepare does what of SetUp needs no word of the host, most of it waiting for the kernel: so it can be done while the agent calls.
func (m *Contained) Prepare() { _, _ = m.prepared() }

// HandleSignals keeps the container's PID 1 alive, as Machine's does the VM's.
func (m *Contained) HandleSignals() {
	handleSignals(func() {
		go func() {
			m.EndProcesses(insideTime)
			m.PowerOff()
		}()
	})
}

// EndProcesses ends every process of the box, and says which had to be killed.
func (m *Contained) EndProcesses(grace time.Duration) []wire.Killed {
	return endProcesses(m.procs, grace)
}

// SetUp makes the box as asked. Of the message's root and volumes nothing is used: they are mounted.
func (m *Contained) SetUp(s *wire.Setup) (*server.Box, error) {
	prepared, err := m.prepared()
	if err != nil {
		return nil, err
	}
	// Not before: until then there may be no /dev.
	if err := setClock(s.UnixNS, s.Entropy); err != nil {
		return nil, err
	}
	makeWorkdir(prepared.root, s.Workdir)
	if err := setNames(prepared.root, s, rootNote("/")); err != nil {
		return nil, err
	}
	return &server.Box{Execs: prepared.execs, Files: files.New(prepared.root)}, nil
}

// prepare is done once: a box whose preparation has failed is of no use.
func (m *Contained) prepare() (*preparation, error) {
	removed := make(chan error, 1)
	// The kernel takes its time over it, and nothing else depends on it.
	go func() { removed <- removeInterface("dummy0") }()
	volumes, err := m.clear()
	if err != nil {
		return nil, err
	}
	root, err := inroot.Open("/")
	if err != nil {
		return nil, err
	}
	if err := mountKernel(root, "/"); err != nil {
		return nil, err
	}
	if err := m.cover(); err != nil {
		return nil, err
	}
	for _, volume := range volumes {
		if err := volume.place(root); err != nil {
			return nil, err
		}
	}
	groups, err := cgroup.NewTree("/sys/fs/cgroup/boxrun")
	if err != nil {
		log.Printf("execs run without control groups: %v", err)
	} else {
		groups.ReservePIDs(agentPIDs)
		groups.CountMemory()
	}
	execs, err := exec.NewManager(root, m.procs, groups)
	if err != nil {
		return nil, err
	}
	return &preparation{root, execs}, <-removed
}

// removeInterface does what `ip link del` does; one that is not there is a success.
func removeInterface(name string) error {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil
	}
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("remove interface %s: %w", name, err)
	}
	defer syscall.Close(fd)
	var request bytes.Buffer
	for _, part := range []any{
		syscall.NlMsghdr{Len: 32, Type: syscall.RTM_DELLINK, Flags: syscall.NLM_F_REQUEST | syscall.NLM_F_ACK, Seq: 1},
		syscall.IfInfomsg{Index: int32(link.Index)},
	} {
		_ = binary.Write(&request, binary.NativeEndian, part)
	}
	if err := syscall.Sendto(fd, request.Bytes(), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return fmt.Errorf("remove interface %s: %w", name, err)
	}
	answer := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(fd, answer, 0)
	if err != nil || n < 20 {
		return fmt.Errorf("remove interface %s: %w", name, errors.Join(err, io.ErrUnexpectedEOF))
	}
	// struct nlmsgerr: a negative errno, or 0, after the header.
	if errno := -int32(binary.NativeEndian.Uint32(answer[16:])); errno != 0 {
		return fmt.Errorf("remove interface %s: %w", name, syscall.Errno(errno))
	}
	return nil
}

// SetClock sets the time and reseeds the random generator.
func (m *Contained) SetClock(c *wire.Clock) error { return setClock(c.UnixNS, c.Entropy) }

// Sync flushes all file systems.
func (m *Contained) Sync() { syscall.Sync() }

// ReclaimMemory does as Machine's: the VM is the container's alone.
func (m *Contained) ReclaimMemory() error { return reclaim.Files("/proc", "/sys/fs/cgroup") }

// PowerOff ends every process of the box, and the container with the agent; whoever has made it ends the VM then.
func (m *Contained) PowerOff() {
	m.poweringOff.Do(func() {
		go func() {
			asked := time.Now()
			endProcesses(m.procs, termTime)
			syscall.Sync()
			time.Sleep(time.Until(asked.Add(answerTime)))
			os.Exit(0)
		}()
	})
}
