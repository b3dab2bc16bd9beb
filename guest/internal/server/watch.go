package server

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"

	"boxrun.dev/guest/internal/watch"
	"boxrun.dev/guest/internal/wire"
)

// watchFiles answers with a line of JSON for each change. The answer's head says that the watch has begun; it ends when what is watched is gone.
func watchFiles(box *Box, w http.ResponseWriter, r *http.Request) error {
	changes, err := box.Files.Watch(path(r), r.URL.Query().Get("recursive") == "1")
	if err != nil {
		return err
	}
	defer changes.Close()
	defer context.AfterFunc(r.Context(), changes.Stop)()
	w.Header().Set("Content-Type", "application/x-ndjson")
	control := http.NewResponseController(w)
	out := bufio.NewWriterSize(w, 16<<10)
	lines := json.NewEncoder(out)
	flush := func() error {
		if err := out.Flush(); err != nil {
			return err
		}
		return control.Flush()
	}
	if err := flush(); err != nil {
		return errBegun{err}
	}
	err = changes.Run(func(c wire.Change) error { return lines.Encode(c) }, flush)
	if err != nil {
		if err == watch.ErrStopped {
			err = context.Canceled
		}
		return errBegun{err}
	}
	return nil
}
