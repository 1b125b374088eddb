package mailbox

import (
	"strconv"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors"
)

// What lies in the folder of what was sent was taken; what does not was not only where the provider always puts it there.
func TestFind(t *testing.T) {
	head := func(value string) string { return "X-de-mail-private-id: " + value + "\r\n\r\n" }
	fetched := func(head string) string {
		return "* 1 FETCH (UID 42 BODY[HEADER.FIELDS (X-DE-MAIL-PRIVATE-ID)] {" + strconv.Itoa(len(head)) + "}\r\n" + head + ")\r\n$ OK\r\n"
	}
	for name, c := range map[string]struct {
		search, fetch string
		class         error // where the provider always does
	}{
		"there":           {"* SEARCH 42\r\n$ OK\r\n", fetched(head("k-1")), nil},
		"folded":          {"* SEARCH 42\r\n$ OK\r\n", fetched(head("\r\n k-1")), nil},
		"not there":       {"* SEARCH\r\n$ OK\r\n", "", connectors.ErrNotFound},
		"another one":     {"* SEARCH 42\r\n$ OK\r\n", fetched(head("k-11")), connectors.ErrNotFound},
		"the topmost":     {"* SEARCH 42\r\n$ OK\r\n", fetched("X-de-mail-private-id: x\r\n" + head("k-1")), connectors.ErrNotFound},
		"no header":       {"* SEARCH 42\r\n$ OK\r\n", fetched("k-1\r\n"), connectors.ErrNotFound},
		"gone":            {"* SEARCH 42\r\n$ OK\r\n", "$ OK\r\n", connectors.ErrNotFound},
		"too many":        {"* SEARCH " + numbers(150) + "\r\n$ OK\r\n", fetched(head("k-11")), connectors.ErrUnavailable},
		"no answer":       {"$ NO x\r\n", "", connectors.ErrUnavailable},
		"a larger header": {"* SEARCH 42\r\n$ OK\r\n", fetched(head(strings.Repeat("k", headSize))), connectors.ErrUnavailable},
	} {
		for _, always := range []bool{true, false} {
			p := sound().with("UID SEARCH", c.search).with("UID FETCH 42 (UID BODY.PEEK[HEADER", c.fetch)
			var said []string
			done := make(chan struct{})
			o := p.options(&said, done)
			o.Sent, o.SentAlways = "Sent", always
			want := c.class
			if want == connectors.ErrNotFound && !always {
				want = connectors.ErrInDoubt
			}
			r, err := provider(t, o).Find(t.Context(), "k-1")
			<-done
			if connectors.Class(err) != want || err == nil && r.ID != "k-1" {
				t.Errorf("%s, always %v: %v, %v", name, always, r, err)
			}
			if !strings.Contains(strings.Join(said, "\n"), `UID SEARCH HEADER "X-de-mail-private-id" "k-1"`) || strings.Contains(strings.Join(said, "\n"), "SELECT") {
				t.Errorf("%s: %q", name, said)
			}
		}
	}
}

func numbers(n int) string {
	var out []string
	for i := range n {
		out = append(out, strconv.Itoa(10+2*i))
	}
	return strings.Join(out, " ")
}
