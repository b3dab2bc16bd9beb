package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"boxrun.dev/guest/internal/bulk"
	"boxrun.dev/guest/internal/files"
	"boxrun.dev/guest/internal/wire"
)

// lengthHeader says how long a body is whose pieces are elsewhere, in bytes.
const lengthHeader = "Boxrun-Length"

// throughDisk serves a request of which the body, or the answer, goes through the disk for transfers.
func throughDisk(h func(*Box, http.ResponseWriter, *http.Request) error) func(*Box, http.ResponseWriter, *http.Request) error {
	return func(box *Box, w http.ResponseWriter, r *http.Request) error {
		if box.Bulk == nil {
			return unknownRequest(r)
		}
		return h(box, w, r)
	}
}

// taking gives h the body whose pieces are on the disk. The answer is a byte for each slot that is free again, and then h's own.
func taking(h func(*Box, http.ResponseWriter, *http.Request) error) func(*Box, http.ResponseWriter, *http.Request) error {
	return throughDisk(func(box *Box, w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Content-Type", "application/json")
		begun := false
		flush := http.NewResponseController(w).Flush
		line := r.Body
		body := bulk.NewReader(box.Bulk, line, func() error {
			begun = true
			if _, err := w.Write([]byte{slotIsFree}); err != nil {
				return err
			}
			return flush()
		})
		r.Body = body
		var answer keptAnswer
		err := h(box, &answer, r)
		// From here on nobody else writes to w, also where there is more to come that is not wanted.
		line.Close()
		body.Close()
		if err == nil {
			_, err = w.Write(answer.Bytes())
			return err
		}
		var known *wire.Error
		if !begun {
			return err
		}
		if !errors.As(err, &known) {
			return errBegun{err}
		}
		// Its head has gone off, and said that all is well.
		return json.NewEncoder(w).Encode(known)
	})
}

// keptAnswer is a short answer that waits.
type keptAnswer struct {
	bytes.Buffer
	header http.Header
}

func (a *keptAnswer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

// WriteHeader is not asked to say anything but that all is well.
func (a *keptAnswer) WriteHeader(int) {}

// slotIsFree is no beginning of any JSON.
const slotIsFree = 1

func sendFileThroughDisk(box *Box, w http.ResponseWriter, r *http.Request) error {
	content, err := box.Files.Open(path(r))
	if err != nil {
		return err
	}
	defer content.Close()
	w.Header().Set(lengthHeader, strconv.FormatInt(content.Size, 10))
	return sendThroughDisk(box, w, r, func(out *bulk.Writer) error { return content.SendTo(out) })
}

func sendTarThroughDisk(box *Box, w http.ResponseWriter, r *http.Request) error {
	archive, err := box.Files.OpenTar(path(r))
	if err != nil {
		return err
	}
	return sendArchiveThroughDisk(box, w, r, archive, r.URL.Query().Get("full") == "1")
}

func (s *Server) sendImageThroughDisk(box *Box, w http.ResponseWriter, r *http.Request) error {
	archive, err := s.machine.OpenImage()
	if err != nil {
		return err
	}
	return sendArchiveThroughDisk(box, w, r, archive, true)
}

func sendArchiveThroughDisk(box *Box, w http.ResponseWriter, r *http.Request, archive *files.Archive, full bool) error {
	defer archive.Close()
	return sendThroughDisk(box, w, r, func(out *bulk.Writer) error { return archive.Write(out, full) })
}

func sendThroughDisk(box *Box, w http.ResponseWriter, r *http.Request, send func(*bulk.Writer) error) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	flush := http.NewResponseController(w).Flush
	// That somebody reads it shows before its first bytes are there.
	if err := flush(); err != nil {
		return errBegun{err}
	}
	out := bulk.NewWriter(r.Context(), box.Bulk, r.Body, w, flush)
	defer out.Close()
	if err := send(out); err != nil {
		return errBegun{err}
	}
	if err := out.End(); err != nil {
		return errBegun{err}
	}
	return nil
}
