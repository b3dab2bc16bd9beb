package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"boxrun.dev/guest/internal/exec"
	"boxrun.dev/guest/internal/proc"
	"boxrun.dev/guest/internal/wire"
)

func startExec(box *Box, w http.ResponseWriter, r *http.Request) error {
	var start wire.ExecStart
	if err := readJSON(r, &start); err != nil {
		return err
	}
	state, err := box.Execs.Start(r.PathValue("id"), &start)
	if err != nil {
		return err
	}
	return writeJSON(w, state)
}

func getExec(box *Box, w http.ResponseWriter, r *http.Request) error {
	e, err := box.Execs.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, e.State())
}

func deleteExec(box *Box, w http.ResponseWriter, r *http.Request) error {
	if err := box.Execs.Delete(r.PathValue("id")); err != nil {
		return err
	}
	return writeOK(w)
}

// flushWriter sends each frame off at once.
type flushWriter struct {
	w http.ResponseWriter
	c *http.ResponseController
}

func (f flushWriter) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if err == nil {
		err = f.c.Flush()
	}
	return n, err
}

// output is full duplex: acknowledgements come in while frames go out.
func (s *Server) output(box *Box, w http.ResponseWriter, r *http.Request) error {
	e, err := box.Execs.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	stdout, err := queryNumber(r, "stdout")
	if err != nil {
		return err
	}
	stderr, err := queryNumber(r, "stderr")
	if err != nil {
		return err
	}
	o, err := e.Attach(stdout, stderr)
	if err != nil {
		return err
	}
	defer o.Detach()
	out := flushWriter{w, http.NewResponseController(w)}
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := out.c.Flush(); err != nil {
		return errBegun{err}
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	go readAcks(o, r, cancel)
	if err := o.WriteFrames(ctx, out); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return errBegun{cause}
		}
		return errBegun{context.Canceled} // a failed write is a host that has hung up
	}
	return nil
}

// readAcks ends the answer if the host sends nonsense. A body that simply ends or breaks off ends nothing here: the host
// may read on without acknowledging, and a lost connection ends the request's context.
func readAcks(o *exec.Output, r *http.Request, cancel context.CancelCauseFunc) {
	if err := o.ReadAcks(r.Body); err != nil {
		cancel(err)
	}
}

// queryNumber gives 0 if the number is missing.
func queryNumber(r *http.Request, name string) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, &wire.Error{Code: wire.BadRequest, Message: "?" + name + "=" + wire.Text(text) + ": not a number"}
	}
	return n, nil
}

func stdin(box *Box, w http.ResponseWriter, r *http.Request) error {
	e, err := box.Execs.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := e.WriteStdin(r.Body, r.URL.Query().Get("eof") == "true"); err != nil {
		return err
	}
	return writeOK(w)
}

func resize(box *Box, w http.ResponseWriter, r *http.Request) error {
	var size wire.TTY
	if err := readJSON(r, &size); err != nil {
		return err
	}
	e, err := box.Execs.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := e.Resize(size.Cols, size.Rows); err != nil {
		return err
	}
	return writeOK(w)
}

func signal(box *Box, w http.ResponseWriter, r *http.Request) error {
	var body wire.Signal
	if err := readJSON(r, &body); err != nil {
		return err
	}
	number, ok := proc.ParseSignal(body.Signal)
	if !ok {
		return &wire.Error{Code: wire.BadRequest, Message: "signal " + body.Signal + ": no such signal"}
	}
	e, err := box.Execs.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := e.Signal(number); err != nil {
		return err
	}
	return writeOK(w)
}

func cancel(box *Box, w http.ResponseWriter, r *http.Request) error {
	var body wire.Cancel
	if err := readJSON(r, &body); err != nil {
		return err
	}
	grace := 5 * time.Second
	if body.GraceMS != nil {
		grace = time.Duration(max(*body.GraceMS, 0)) * time.Millisecond
	}
	e, err := box.Execs.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := e.Cancel(grace); err != nil {
		return err
	}
	return writeOK(w)
}
