package files

import (
	"errors"

	"boxrun.dev/guest/internal/watch"
)

// Watch watches a file, a directory, or with recursive everything below it. The caller closes it.
func (f *Files) Watch(path string, recursive bool) (*watch.Watch, error) {
	if err := checkPath("watch", path); err != nil {
		return nil, err
	}
	w, err := watch.Open(f.root, path, recursive)
	if errors.Is(err, watch.ErrTooMany) || errors.Is(err, watch.ErrExhausted) {
		return nil, refuse("watch %s: %v", path, err)
	}
	if err != nil {
		return nil, fail("watch", path, err)
	}
	return w, nil
}
