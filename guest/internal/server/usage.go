package server

import (
	"net/http"

	"boxrun.dev/guest/internal/usage"
	"boxrun.dev/guest/internal/wire"
)

func readUsage(box *Box, w http.ResponseWriter, _ *http.Request) error {
	var u wire.Usage
	if err := usage.Read("/proc", &u); err != nil {
		return err
	}
	var err error
	if u.DiskUsed, u.DiskSize, err = box.Files.Space(); err != nil {
		return err
	}
	return writeJSON(w, u)
}
