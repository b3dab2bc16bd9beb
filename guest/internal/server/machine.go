package server

import (
	"net/http"
	"reflect"
	"time"

	"boxrun.dev/guest/internal/wire"
)

// hello comes behind what has broken off before: whoever gave up an upload asks it, and finds nothing of that any more.
func (s *Server) hello(w http.ResponseWriter, r *http.Request) error {
	s.puts.settled(r.Context())
	h := wire.Hello{Agent: wire.AgentVersion, Protocol: wire.Version, BootID: s.bootID.String(), Execs: []string{}}
	if box := s.current(); box != nil {
		h.Setup, h.Execs = true, box.Execs.IDs()
	}
	return writeJSON(w, h)
}

// setup is done once, or once more where the one before was a template's. The same again (clock and entropy aside, which differ on a retry) is answered and not done.
func (s *Server) setup(w http.ResponseWriter, r *http.Request) error {
	var setup wire.Setup
	if err := readJSON(r, &setup); err != nil {
		return err
	}
	s.setupTurn.Lock()
	defer s.setupTurn.Unlock()
	switch done := s.setupDone; {
	case s.current() == nil, done != nil && done.Template:
	case done != nil && isSame(done, &setup):
		return writeOK(w)
	default:
		return &wire.Error{Code: wire.Exists, Message: "setup: the box is set up already, differently"}
	}
	box, err := s.machine.SetUp(&setup)
	if err != nil {
		return err
	}
	s.setupDone = &setup
	s.mu.Lock()
	s.box = box
	s.mu.Unlock()
	return writeOK(w)
}

// isSame tells whether the host says the same again: clock and entropy aside, which differ then.
func isSame(done, again *wire.Setup) bool {
	one, other := *done, *again
	one.UnixNS, other.UnixNS = "", ""
	one.Entropy, other.Entropy = nil, nil
	return reflect.DeepEqual(one, other)
}

func (s *Server) clock(w http.ResponseWriter, r *http.Request) error {
	var clock wire.Clock
	if err := readJSON(r, &clock); err != nil {
		return err
	}
	if err := s.machine.SetClock(&clock); err != nil {
		return err
	}
	return writeOK(w)
}

func (s *Server) sync(w http.ResponseWriter, _ *http.Request) error {
	s.machine.Sync()
	return writeOK(w)
}

func (s *Server) reclaim(w http.ResponseWriter, _ *http.Request) error {
	if err := s.machine.ReclaimMemory(); err != nil {
		return err
	}
	return writeOK(w)
}

func (s *Server) powerOff(w http.ResponseWriter, r *http.Request) error {
	var body wire.PowerOff
	if r.ContentLength != 0 {
		if err := readJSON(r, &body); err != nil {
			return err
		}
	}
	var err error
	if body.GraceMS == nil {
		err = writeOK(w)
	} else {
		grace := time.Duration(max(*body.GraceMS, 0)) * time.Millisecond
		err = writeJSON(w, wire.PoweredOff{OK: true, Killed: s.machine.EndProcesses(grace)})
	}
	_ = http.NewResponseController(w).Flush()
	s.machine.PowerOff()
	return err
}
