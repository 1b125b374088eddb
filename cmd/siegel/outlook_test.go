package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestOutlookCommands runs the scripts of siegel outlook.
func TestOutlookCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/outlook", RequireExplicitExec: true, RequireUniqueNames: true})
}
