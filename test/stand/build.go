package stand

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build builds the siegel command of this module into dir and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	if err := walk(root); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "siegel")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/siegel")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("stand: building siegel: %w\n%s", err, out)
	}
	return binary, nil
}

// Root is the folder of the module that the working directory is in.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("stand: no go.mod above the working directory")
		}
		dir = up
	}
	return "", err
}

// walk looks at every file of the tree. A test whose package does not import what it runs would be answered
// from the test cache; so the cache learns what the outcome depends on.
func walk(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		return err
	})
}
