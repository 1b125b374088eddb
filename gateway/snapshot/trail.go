package snapshot

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// trail is what was done to the places, so that all of it can be undone.
type trail struct{ steps []step }

type step struct {
	undo func() error
	left string // what stands where, should that fail
}

func (t *trail) did(left string, undo func() error) { t.steps = append(t.steps, step{undo, left}) }

// aside moves what is in the way.
func (t *trail) aside(path, name string) error {
	if _, err := os.Lstat(name); err == nil {
		return fmt.Errorf("%s is there already", name)
	}
	if err := os.Rename(path, name); err != nil {
		return err
	}
	t.did("what was "+path+" is "+name, func() error {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is there", path)
		}
		return os.Rename(name, path)
	})
	return nil
}

// made notes a file, or an empty folder, that was put where nothing was.
func (t *trail) made(path string) {
	t.did(path+" is from the backup", func() error { return os.Remove(path) })
}

// back undoes everything, the last step first, and says what became of it.
func (t *trail) back(err error) error {
	var left []string
	for i := len(t.steps) - 1; i >= 0; i-- {
		if t.steps[i].undo() != nil {
			left = append(left, t.steps[i].left)
		}
	}
	if len(left) == 0 {
		return fmt.Errorf("%w; all is as it was before", err)
	}
	return errors.Join(err, fmt.Errorf("what had been done already could not be undone: %s; put that right by hand before you start the gateway", strings.Join(left, "; ")))
}
