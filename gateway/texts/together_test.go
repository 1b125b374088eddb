package texts

import (
	"fmt"
	"strings"
	"testing"
)

// One reply names every recipient that it has room for, and one reason.
func TestTogether(t *testing.T) {
	for way, texts := range everyway() {
		for _, n := range []int{1, 2, 3, 20, 1000} {
			var to, reasons []string
			for i := range n {
				to = append(to, fmt.Sprintf("user%d@department.other.example", i))
				reasons = append(reasons, texts.SMTP(EncryptImpossible, Values{Recipient: to[i], Because: BecauseFlag, Reason: ReasonNone}))
			}
			text := texts.Together(to, reasons)
			if len(text) > maxTogether || !strings.HasSuffix(text, ".") || strings.HasSuffix(text, "...") {
				t.Errorf("%s: %d recipients, %d characters: %s", way, n, len(text), text)
			}
			if n > 1 && !strings.Contains(text, "user1@department") || n == 20 && !strings.Contains(text, " and 1") && !strings.Contains(text, " und 1") {
				t.Errorf("%s: %d recipients: %s", way, n, text)
			}
		}
	}
	if got := (*Texts)(nil).Together([]string{strings.Repeat("x", 500), "b"}, []string{strings.Repeat("y", 400), "z"}); len(got) > maxTogether {
		t.Error(len(got))
	}
}
