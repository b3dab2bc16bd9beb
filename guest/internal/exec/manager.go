package exec

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"boxrun.dev/guest/internal/cgroup"
	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/proc"
	"boxrun.dev/guest/internal/wire"
)

// keepFinished is how many execs are kept. Beyond it, the oldest ones are forgotten that have ended and whose output was
// acknowledged.
const keepFinished = 4096

// quickLimit is how long the answer to a start is held back at most.
const quickLimit = 100 * time.Millisecond

// Manager holds the execs of a box.
type Manager struct {
	root   *inroot.Root
	procs  *proc.Table
	groups *cgroup.Tree // nil: no control groups
	null   int          // /dev/null, opened before the box's programs can remove it

	mu    sync.Mutex
	execs map[string]*Exec
	order []*Exec // by age
}

// NewManager makes a manager for the box at root.
func NewManager(root *inroot.Root, procs *proc.Table, groups *cgroup.Tree) (*Manager, error) {
	null, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	return &Manager{root: root, procs: procs, groups: groups, null: null, execs: map[string]*Exec{}}, nil
}

// Start starts a command under id. If that id exists, its exec is given and nothing is started. A command that cannot be
// started is no error but an exec that has ended.
func (m *Manager) Start(id string, start *wire.ExecStart) (*Exec, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	m.mu.Lock()
	if e := m.execs[id]; e != nil {
		m.mu.Unlock()
		return e, nil
	}
	if err := checkStart(start); err != nil {
		m.mu.Unlock()
		return nil, &wire.Error{Code: wire.BadRequest, Message: "start exec " + id + ": " + err.Error()}
	}
	e := &Exec{id: id, ready: make(chan struct{}), over: make(chan struct{}), spool: NewSpool()}
	m.execs[id] = e
	m.order = append(m.order, e)
	m.forgetOld()
	m.mu.Unlock()

	began := time.Now()
	if bad := m.start(e, start); bad != nil {
		e.spool.Close()
		e.finish(bad.exit())
	}
	if !start.Stdin && start.TTY == nil {
		now := time.Now()
		e.quick = now.Add(min(2*now.Sub(began), quickLimit))
	}
	close(e.ready)
	return e, nil
}

// checkID keeps ids usable as names of directories.
func checkID(id string) error {
	ok := len(id) >= 1 && len(id) <= 128 && id[0] != '.'
	for _, c := range []byte(id) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if !ok {
		return &wire.Error{Code: wire.BadRequest, Message: "exec id: want 1 to 128 of A-Z a-z 0-9 - _ . not beginning with a dot"}
	}
	return nil
}

func (m *Manager) forgetOld() {
	if len(m.order) <= keepFinished {
		return
	}
	for i, e := range m.order {
		if e.finished() != nil && e.spool.Drained() {
			delete(m.execs, e.id)
			m.order = slices.Delete(m.order, i, i+1)
			return
		}
	}
}

// Get finds an exec.
func (m *Manager) Get(id string) (*Exec, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.execs[id]; e != nil {
		return e, nil
	}
	return nil, &wire.Error{Code: wire.NotFound, Message: "no such exec: " + id}
}

// Forget forgets an exec with its output, if it has ended.
func (m *Manager) Forget(id string) {
	e, err := m.Get(id)
	if err != nil || e.finished() == nil {
		return
	}
	e.dropReader()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.execs, id)
	m.order = slices.DeleteFunc(m.order, func(o *Exec) bool { return o == e })
}

// IDs lists all execs, the oldest first.
func (m *Manager) IDs() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]string, 0, len(m.order))
	for _, e := range m.order {
		ids = append(ids, e.id)
	}
	return ids
}
