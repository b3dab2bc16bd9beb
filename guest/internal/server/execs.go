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

// startExec answers with the output from its beginning: a command that is quick is over in one exchange.
func startExec(box *Box, w http.ResponseWriter, r *http.Request) error {
	start, err := wire.ReadExecStart(r.Body)
	if err != nil {
		return err
	}
	e, err := box.Execs.Start(r.PathValue("id"), start)
	if err != nil {
		return err
	}
	o, err := e.Attach(0, 0)
	if err != nil {
		return err
	}
	return stream(o, w, r, e.Quick())
}

func getExec(box *Box, w http.ResponseWriter, r *http.Request) error {
	e, err := box.Execs.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, e.State())
}

func forgetExecs(box *Box, w http.ResponseWriter, r *http.Request) error {
	var body wire.Forget
	if err := readJSON(r, &body); err != nil {
		return err
	}
	for _, id := range body.IDs {
		box.Execs.Forget(id)
	}
	return writeOK(w)
}

func output(box *Box, w http.ResponseWriter, r *http.Request) error {
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
	return stream(o, w, r, time.Time{})
}

// errHungUp is what a failed write means.
var errHungUp = errBegun{context.Canceled}

// stream is full duplex: acknowledgements come in while frames go out. The answer's head goes off by patience.
func stream(o *exec.Output, w http.ResponseWriter, r *http.Request, patience time.Time) error {
	defer o.Detach()
	flush := http.NewResponseController(w).Flush
	w.Header().Set("Content-Type", "application/octet-stream")
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	go readAcks(o, r, cancel)
	if err := o.WriteFrames(ctx, w, flush, patience); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return errBegun{cause}
		}
		return errHungUp
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
	input := exec.Input{Body: r.Body, EOF: r.URL.Query().Get("eof") == "true"}
	if r.URL.Query().Has("offset") {
		offset, err := queryNumber(r, "offset")
		if err != nil {
			return err
		}
		input.Offset = &offset
	}
	if err := e.WriteStdin(r.Context(), input); err != nil {
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
