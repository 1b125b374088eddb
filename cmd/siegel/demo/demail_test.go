package demo

import (
	"bytes"
	"path/filepath"
	"testing"
)

func TestRunDeMail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	var out bytes.Buffer
	if err := RunDeMail(t.Context(), Options{Once: true, Keep: dir, Out: &out}); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
}
