package safetext

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
)

// What comes out is safe, and still the same value.
func TestJSON(t *testing.T) {
	for in, want := range map[string]string{
		"grün": "grün", "\u202e": `\u202e`, "\U000e0001": `\udb40\udc01`, "\u2028": `\u2028`, "<a&b>": "<a&b>", "\x1b[2J": `\u001b[2J`, "\x7f": `\u007f`,
	} {
		var b bytes.Buffer
		if err := JSON(&b, map[string]string{"a": in}); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != "{\n  \"a\": \""+want+"\"\n}\n" {
			t.Errorf("%q: %s", in, got)
		}
		var back map[string]string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || back["a"] != in {
			t.Errorf("%q: %q, %v", in, back, err)
		}
	}
	if err := JSON(io.Discard, func() {}); err == nil {
		t.Error("a function is written")
	}
	if err := JSON(failing{}, 1); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

type failing struct{}

// Write implements io.Writer.
func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
