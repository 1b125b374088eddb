//go:build !unix

package sqlqueue

import (
	"fmt"
	"os"
	"path/filepath"
)

// lockDir marks dir as in use. QUIRK: systems without flock do not keep a second process out.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlqueue: %w", err)
	}
	return f, nil
}
