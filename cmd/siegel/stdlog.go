package main

import (
	"io"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/internal/safetext"
)

// hushed is an output of the standard library's log, in which net/http writes: of an answer that goes on after its end it would show what comes, which
// may be mail (invariant 11). What is quoted in a line, and all that stands behind it, is left out.
type hushed struct{ log logrus.FieldLogger }

var _ io.Writer = hushed{}

// Write logs a line.
func (h hushed) Write(p []byte) (int, error) {
	text, _, cut := strings.Cut(string(p), `"`)
	if text, _, _ = strings.Cut(text, "\n"); cut {
		text = strings.TrimSpace(text) + " ..."
	}
	h.log.Warn("from a library: " + safetext.Line(text, 200))
	return len(p), nil
}
