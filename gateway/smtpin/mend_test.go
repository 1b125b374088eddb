package smtpin

import (
	"bytes"
	"strings"
	"testing"
)

// However a message is cut into pieces: what is mended has proper line ends, and says the same.
func FuzzMender(f *testing.F) {
	for _, s := range []string{"a\nb\rc\r\nd", "\r\r\n\n", "Content-Type: MultiPart/Signed\n", "\r", "DKIM-Signature: x\n", "a\rDkim-Signature: x"} {
		f.Add([]byte(s), 1)
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		step = max(1, step)
		m, whole := newMender(), newMender()
		var got []byte
		for rest := b; len(rest) > 0; {
			n := min(step, len(rest))
			got = append(got, m.next(rest[:n])...)
			rest = rest[n:]
		}
		got = append(got, m.next(nil)...)
		want := strings.ReplaceAll(string(b), "\r\n", "\n")
		want = strings.ReplaceAll(strings.ReplaceAll(want, "\r", "\n"), "\n", "\r\n")
		if string(got) != want || m.mended != (want != string(b)) {
			t.Errorf("%q: %q, mended %v", b, got, m.mended)
		}
		if len(b) > 0 {
			whole.next(b)
		}
		if whole.signed != m.signed {
			t.Errorf("%q in steps of %d: signed %v, whole %v", b, step, m.signed, whole.signed)
		}
	})
}

func TestMarksAreSought(t *testing.T) {
	for _, mark := range signatureMarks() {
		if len(mark) > longestMark || !bytes.Equal(mark, bytes.ToLower(mark)) {
			t.Errorf("%q", mark)
		}
	}
}
