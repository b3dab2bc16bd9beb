package server

import (
	"encoding/json"
	"net/http"
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

// setup is done once, or once more where the first was a template's. The same again (clock and entropy aside, which differ on a retry) is answered and not done.
func (s *Server) setup(w http.ResponseWriter, r *http.Request) error {
	var setup wire.Setup
	if err := readJSON(r, &setup); err != nil {
		return err
	}
	same := setup
	same.UnixNS, same.Entropy = "", nil
	key, err := json.Marshal(same)
	if err != nil {
		return err
	}
	s.setupTurn.Lock()
	defer s.setupTurn.Unlock()
	if s.current() != nil {
		if s.setupDone == string(key) {
			return writeOK(w)
		}
		if !s.isTemplate {
			return &wire.Error{Code: wire.Exists, Message: "setup: the box is set up already, differently"}
		}
	}
	box, err := s.machine.SetUp(&setup)
	if err != nil {
		return err
	}
	s.setupDone, s.isTemplate = string(key), setup.Template
	s.mu.Lock()
	s.box = box
	s.mu.Unlock()
	return writeOK(w)
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
