package server

import (
	"bufio"
	"net/http"
	"strconv"

	"boxrun.dev/guest/internal/files"
	"boxrun.dev/guest/internal/wire"
)

func path(r *http.Request) string { return r.URL.Query().Get("path") }

// ownership reads ?owner=, and ?new_owner= for what is not there yet.
func ownership(box *Box, r *http.Request) (*files.Ownership, error) {
	if spec := r.URL.Query().Get("owner"); spec != "" {
		return box.Files.Ownership(spec, true)
	}
	if spec := r.URL.Query().Get("new_owner"); spec != "" {
		return box.Files.Ownership(spec, false)
	}
	return nil, nil
}

func putFile(box *Box, w http.ResponseWriter, r *http.Request) error {
	var mode *uint32
	if text := r.URL.Query().Get("mode"); text != "" {
		n, err := strconv.ParseUint(text, 8, 32)
		if err != nil || n > 0o7777 {
			return &wire.Error{Code: wire.BadRequest, Message: "?mode=" + wire.Text(text) + ": not an octal mode like 0644"}
		}
		m := uint32(n)
		mode = &m
	}
	owner, err := ownership(box, r)
	if err != nil {
		return err
	}
	if err := box.Files.Write(path(r), mode, owner, r.Body); err != nil {
		return err
	}
	return writeOK(w)
}

func getFile(box *Box, w http.ResponseWriter, r *http.Request) error {
	content, err := box.Files.Open(path(r))
	if err != nil {
		return err
	}
	defer content.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(content.Size, 10))
	if err := content.Send(w); err != nil {
		return errBegun{err}
	}
	return nil
}

func deleteFile(box *Box, w http.ResponseWriter, r *http.Request) error {
	if err := box.Files.Remove(path(r)); err != nil {
		return err
	}
	return writeOK(w)
}

func stat(box *Box, w http.ResponseWriter, r *http.Request) error {
	entry, err := box.Files.Stat(path(r), r.URL.Query().Get("follow") == "1")
	if err != nil {
		return err
	}
	return writeJSON(w, entry)
}

func makeDirectory(box *Box, w http.ResponseWriter, r *http.Request) error {
	owner, err := ownership(box, r)
	if err != nil {
		return err
	}
	if err := box.Files.Mkdir(path(r), r.URL.Query().Get("parents") == "1", owner); err != nil {
		return err
	}
	return writeOK(w)
}

func rename(box *Box, w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := box.Files.Rename(path(r), query.Get("to"), query.Get("replace") == "1"); err != nil {
		return err
	}
	return writeOK(w)
}

func putTar(box *Box, w http.ResponseWriter, r *http.Request) error {
	// A tar reader reads 512 bytes at a time, and each read of a body is a round through the connection's goroutine.
	owner, err := ownership(box, r)
	if err != nil {
		return err
	}
	if err := box.Files.Untar(path(r), owner, bufio.NewReaderSize(r.Body, 64<<10)); err != nil {
		return err
	}
	return writeOK(w)
}

func getTar(box *Box, w http.ResponseWriter, r *http.Request) error {
	archive, err := box.Files.OpenTar(path(r))
	if err != nil {
		return err
	}
	return sendTar(w, archive, r.URL.Query().Get("full") == "1")
}

func (s *Server) getImage(_ *Box, w http.ResponseWriter, _ *http.Request) error {
	archive, err := s.machine.OpenImage()
	if err != nil {
		return err
	}
	return sendTar(w, archive, true)
}

func sendTar(w http.ResponseWriter, archive *files.Archive, full bool) error {
	defer archive.Close()
	w.Header().Set("Content-Type", "application/x-tar")
	out := bufio.NewWriterSize(w, 64<<10)
	err := archive.Write(out, full)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return errBegun{err}
	}
	return nil
}

func list(box *Box, w http.ResponseWriter, r *http.Request) error {
	listing, err := box.Files.List(path(r))
	if err != nil {
		return err
	}
	defer listing.Close()
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, 16<<10)
	err = listing.WriteJSON(out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return errBegun{err}
	}
	return nil
}
