package boot

import (
	"fmt"
	"log"
	"sync"
	"syscall"

	"boxrun.dev/guest/internal/bulk"
	"boxrun.dev/guest/internal/cgroup"
	"boxrun.dev/guest/internal/exec"
	"boxrun.dev/guest/internal/files"
	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/proc"
	"boxrun.dev/guest/internal/reclaim"
	"boxrun.dev/guest/internal/server"
	"boxrun.dev/guest/internal/wire"
)

// agentPIDs is how many processes and threads the box leaves to the agent.
const agentPIDs = 256

// Machine is the VM that the agent is PID 1 of.
type Machine struct {
	procs       *proc.Table
	poweringOff sync.Once

	mu   sync.Mutex
	root *inroot.Root

	// template is a box that has all but an identity.
	template *server.Box
}

// NewMachine makes the machine; Early has run.
func NewMachine(procs *proc.Table) *Machine { return &Machine{procs: procs} }

// SetUp makes the box as asked. Of a template only what is each box's own is made: the clock, the random numbers, names and addresses.
func (m *Machine) SetUp(s *wire.Setup) (*server.Box, error) {
	box, err := m.setUp(s)
	if err == nil && s.Template {
		makeThreads()
	}
	return box, err
}

func (m *Machine) setUp(s *wire.Setup) (*server.Box, error) {
	if m.template != nil {
		if err := identify(m.root, s); err != nil {
			return nil, fmt.Errorf("set up: %w", err)
		}
		return m.template, nil
	}
	root, err := setUpBox(s)
	if err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	area, err := openBulk(s.Bulk)
	if err != nil {
		root.Close()
		unmountBox()
		return nil, fmt.Errorf("set up: %w", err)
	}
	m.mu.Lock()
	m.root = root
	m.mu.Unlock()
	groups, err := cgroup.NewTree("/sys/fs/cgroup/boxrun")
	if err != nil {
		log.Printf("execs run without control groups: %v", err)
	} else {
		groups.ReservePIDs(agentPIDs)
		groups.CountMemory()
	}
	execs, err := exec.NewManager(root, m.procs, groups)
	if err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	box := &server.Box{Execs: execs, Files: files.New(root), Bulk: area}
	if s.Template {
		m.template = box
	}
	return box, nil
}

// openBulk gives nil for a VM without such a disk.
func openBulk(device string) (*bulk.Area, error) {
	if device == "" {
		return nil, nil
	}
	if err := waitForDevice(device); err != nil {
		return nil, err
	}
	return bulk.Open(device)
}

// SetClock sets the time and reseeds the random generator.
func (m *Machine) SetClock(c *wire.Clock) error { return setClock(c.UnixNS, c.Entropy) }

// Sync flushes all file systems.
func (m *Machine) Sync() { syscall.Sync() }

// ReclaimMemory lets go of what is kept of files in memory and is little used.
func (m *Machine) ReclaimMemory() error { return reclaim.Files("/proc", "/sys/fs/cgroup") }
