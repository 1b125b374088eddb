package track

import (
	"slices"
	"strings"
)

// Authentication is what SPF, DKIM and DMARC say of the origin of an incoming message, each in the words of
// RFC 8601, 2.7, and what was done about it. The zero Authentication says that nothing was judged.
type Authentication struct {
	SPF   string
	DKIM  string // the best of its signatures
	DMARC string
	// Action is none, mark, quarantine, temporary or reject; By is what asked for it: spf, dkim, dmarc, from or
	// own_domains.
	Action string
	By     string
}

// String is the form of a log line: "spf=fail dkim=none dmarc=fail action=quarantine by=dmarc"; empty for the
// zero Authentication.
func (a Authentication) String() string {
	var parts []string
	for _, p := range [][2]string{{"spf", a.SPF}, {"dkim", a.DKIM}, {"dmarc", a.DMARC}, {"action", a.Action}, {"by", a.By}} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+p[1])
		}
	}
	return strings.Join(parts, " ")
}

// countAuthentication counts each method's result, and the action.
func (m *Metrics) countAuthentication(a Authentication) {
	results := []string{"none", "pass", "fail", "softfail", "neutral", "policy", "temperror", "permerror"}
	actions := []string{"none", "mark", "quarantine", "temporary", "reject"}
	for _, c := range []struct {
		method, result string
		known          []string
	}{{"spf", a.SPF, results}, {"dkim", a.DKIM, results}, {"dmarc", a.DMARC, results}, {"action", a.Action, actions}} {
		if !slices.Contains(c.known, c.result) {
			c.result = "other"
		}
		m.authentication.WithLabelValues(c.method, c.result).Inc()
	}
}
