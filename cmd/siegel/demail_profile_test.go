package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestDeMailProfileCommands runs the script of siegel demail profile with the shipped profiles beside it.
func TestDeMailProfileCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/demail", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"t-systems.yaml", "mentana.yaml"} {
				text, err := os.ReadFile(filepath.Join("..", "..", "configs", "connectors", name))
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(e.WorkDir, name), text, 0o600); err != nil {
					return err
				}
			}
			return nil
		},
	})
}
