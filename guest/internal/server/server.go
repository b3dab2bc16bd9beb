// Package server answers the host's requests: HTTP/2 without TLS on whatever connection there is. Its routes are the table
// in docs/guest-protocol.md.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"boxrun.dev/guest/internal/bulk"
	"boxrun.dev/guest/internal/exec"
	"boxrun.dev/guest/internal/files"
	"boxrun.dev/guest/internal/wire"
)

// Box is what exists once a VM is set up.
type Box struct {
	Execs *exec.Manager
	Files *files.Files
	// Bulk is the disk for transfers; nil if the VM has none.
	Bulk *bulk.Area
}

// Machine is what the server asks of the VM around it.
type Machine interface {
	// SetUp makes the box, out of a template's if that is what was made before. It can be tried again after an error.
	SetUp(*wire.Setup) (*Box, error)
	// SetClock sets the time and reseeds the random generator.
	SetClock(*wire.Clock) error
	// OpenImage opens the box's root as an image is made of it.
	OpenImage() (*files.Archive, error)
	// Sync flushes the file systems.
	Sync()
	// ReclaimMemory lets go of what is kept of files in memory and is little used.
	ReclaimMemory() error
	// EndProcesses ends every process of the box, politely first, and says which had to be killed.
	EndProcesses(grace time.Duration) []wire.Killed
	// PowerOff ends the VM; it returns at once, and the VM lives long enough for an answer to get out.
	PowerOff()
}

// Server is the agent as the host sees it.
type Server struct {
	machine Machine
	bootID  wire.BootID
	log     *log.Logger

	setupTurn sync.Mutex  // held while setting up
	setupDone *wire.Setup // box's; nil if it needed none

	puts puts

	mu  sync.Mutex
	box *Box
}

// New makes a server. box is nil unless the machine needs no setup.
func New(machine Machine, id wire.BootID, box *Box, logger *log.Logger) *Server {
	return &Server{machine: machine, bootID: id, box: box, log: logger}
}

const (
	// maxStreams is how many requests may be under way on a connection. Each program that runs has one.
	maxStreams = 1024
	// streamWindow is what the host may send of a request's body before it is read, in bytes.
	streamWindow = 512 << 10
	// connectionWindow is that of all together. It has room for as many bodies that nobody reads, such as the input of programs that
	// don't, as the host lets there be at once, with room to spare: they hold up no others.
	connectionWindow = 512 * streamWindow
)

// Serve answers on the listener's connections until it fails.
func (s *Server) Serve(l net.Listener) error {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	h := &http.Server{
		Handler:   s.routes(),
		Protocols: protocols,
		ErrorLog:  s.log,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReadFrameSize:              1 << 20,
			MaxReceiveBufferPerConnection: connectionWindow,
			MaxReceiveBufferPerStream:     streamWindow,
		},
	}
	return h.Serve(l)
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				s.writeError(w, err)
			}
		})
	}
	boxed := func(pattern string, h func(*Box, http.ResponseWriter, *http.Request) error) {
		route(pattern, func(w http.ResponseWriter, r *http.Request) error {
			box := s.current()
			if box == nil {
				return &wire.Error{Code: wire.NotSetup, Message: r.Method + " " + r.URL.Path + ": POST /setup comes first"}
			}
			return h(box, w, r)
		})
	}
	moving := func(pattern string, h func(*Box, http.ResponseWriter, *http.Request) error) {
		boxed(pattern, func(box *Box, w http.ResponseWriter, r *http.Request) error {
			addProcessors()
			return h(box, w, r)
		})
	}
	route("GET /hello", s.hello)
	route("POST /setup", s.setup)
	route("POST /clock", s.clock)
	route("POST /sync", s.sync)
	route("POST /poweroff", s.powerOff)
	boxed("GET /usage", readUsage)
	route("POST /reclaim", s.reclaim)
	boxed("PUT /execs/{id}", startExec)
	boxed("GET /execs/{id}", getExec)
	boxed("POST /execs/forget", forgetExecs)
	boxed("POST /execs/{id}/output", output)
	boxed("POST /execs/{id}/stdin", stdin)
	boxed("POST /execs/{id}/resize", resize)
	boxed("POST /execs/{id}/signal", signal)
	boxed("POST /execs/{id}/cancel", cancel)
	moving("PUT /files", s.puts.counted(putFile))
	moving("GET /files", getFile)
	boxed("DELETE /files", deleteFile)
	boxed("GET /stat", stat)
	boxed("PUT /dirs", makeDirectory)
	boxed("POST /rename", rename)
	boxed("GET /watch", watchFiles)
	moving("PUT /tar", s.puts.counted(putTar))
	moving("GET /tar", getTar)
	moving("GET /image", s.getImage)
	moving("PUT /bulk/files", s.puts.counted(taking(putFile)))
	moving("PUT /bulk/tar", s.puts.counted(taking(putTar)))
	moving("POST /bulk/files", throughDisk(sendFileThroughDisk))
	moving("POST /bulk/tar", throughDisk(sendTarThroughDisk))
	moving("POST /bulk/image", throughDisk(s.sendImageThroughDisk))
	moving("GET /list", list)
	boxed("GET /ports", listPorts)
	boxed("POST /ports/{port}", connectPort)
	route("/", func(_ http.ResponseWriter, r *http.Request) error { return unknownRequest(r) })
	return mux
}

func unknownRequest(r *http.Request) error {
	return &wire.Error{Code: wire.BadRequest, Message: "no such request: " + r.Method + " " + wire.Text(r.URL.Path)}
}

func (s *Server) current() *Box {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.box
}

var statuses = map[wire.Code]int{
	wire.BadRequest: http.StatusBadRequest,
	wire.NotFound:   http.StatusNotFound,
	wire.Exists:     http.StatusConflict,
	wire.NotSetup:   http.StatusConflict,
	wire.Finished:   http.StatusConflict,
	wire.Refused:    http.StatusConflict,
	wire.IO:         http.StatusInternalServerError,
}

// errBegun wraps a failure that came after the answer's head: the stream is cut then, so that the host cannot take a part
// for the whole.
type errBegun struct{ error }

func (e errBegun) Unwrap() error { return e.error }

func (s *Server) writeError(w http.ResponseWriter, err error) {
	var begun errBegun
	if errors.As(err, &begun) {
		// That the host hung up is no news, and the console is slow.
		if !errors.Is(err, context.Canceled) {
			s.log.Printf("answer cut off: %v", begun.error)
		}
		panic(http.ErrAbortHandler)
	}
	var known *wire.Error
	if !errors.As(err, &known) {
		known = &wire.Error{Code: wire.IO, Message: wire.Text(err.Error())}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(statuses[known.Code])
	_ = json.NewEncoder(w).Encode(known)
}

func writeJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return errBegun{err}
	}
	return nil
}

func writeOK(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	if _, err := io.WriteString(w, wire.OK); err != nil {
		return errBegun{err}
	}
	return nil
}

// maxBody bounds bodies that are JSON alone, in bytes.
const maxBody = 16 << 20

func readJSON(r *http.Request, v any) error {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return &wire.Error{Code: wire.IO, Message: "read request: " + err.Error()}
	}
	if len(data) > maxBody {
		return &wire.Error{Code: wire.BadRequest, Message: "read request: longer than 16 MiB"}
	}
	if err := json.Unmarshal(data, v); err != nil {
		return &wire.Error{Code: wire.BadRequest, Message: "read request: " + err.Error()}
	}
	return nil
}
