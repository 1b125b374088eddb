package smtpout_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// A look at a host says what becomes of a message without demands of its own, for every level against every far end; nothing is delivered.
func TestLook(t *testing.T) {
	e := newEnds(t)
	ways := e.ways(t)
	for _, row := range strings.Split(strings.TrimSpace(table), "\n")[1:] {
		cells := strings.Fields(row)
		w := ways[cells[0]]
		if w.message != "" || w.report {
			continue
		}
		for i, column := range e.names {
			f := e.all[column]
			tr := e.transport(t, w, f, new(noted))
			looks, err := tr.Look(t.Context(), domain, 3)
			if got := looked(looks, err); got != cells[i+1] {
				t.Errorf("%s, %s: %s, want %s: %+v, %v", cells[0], column, got, cells[i+1], looks, err)
			}
			if len(looks) == 1 && looks[0].Err == nil {
				bad := cells[0] == "testing" && cells[i+1] == "tls"
				if want := bad || cells[0] == "testing-elsewhere" || cells[0] == "policy-away"; want != (looks[0].Doubt != nil) {
					t.Errorf("%s, %s: doubt %v", cells[0], column, looks[0].Doubt)
				}
			}
			if len(looks) > 0 && (!strings.HasPrefix(looks[0].Host, mxHost+":") || looks[0].Level == "" || looks[0].Rule == "") {
				t.Errorf("%s, %s: %+v", cells[0], column, looks[0])
			}
			if got := f.messages(); len(got) > 0 {
				t.Errorf("%s, %s: messages went: %v", cells[0], column, got)
			}
		}
	}
}

// looked is a look in the words of the table.
func looked(looks []smtpout.Look, err error) string {
	if err != nil || len(looks) != 1 || looks[0].Err != nil {
		return "-"
	}
	l := looks[0]
	_, by, _ := strings.Cut(l.Protection, " verified by ")
	switch {
	case l.Protection == "":
		return "plain"
	case by != "":
		return strings.ReplaceAll(by, " and ", "+")
	case strings.HasSuffix(l.Protection, " verified"):
		return "verified"
	}
	return "tls"
}

// Why mail goes in clear is said where a handshake failed, and that there are no hosts.
func TestLookWhy(t *testing.T) {
	e := newEnds(t)
	w := e.ways(t)["opportunistic"]
	for column, f := range e.all {
		looks, err := e.transport(t, w, f, new(noted)).Look(t.Context(), domain, 3)
		if err != nil || len(looks) != 1 {
			t.Fatalf("%s: %+v, %v", column, looks, err)
		}
		var why *tlspolicy.Error
		if f.breaks != errors.As(looks[0].Plain, &why) {
			t.Errorf("%s: %+v", column, looks[0])
		}
	}
	if looks, err := e.transport(t, w, e.all["good"], new(noted)).Look(t.Context(), "nowhere.example", 3); looks != nil || err == nil || !strings.Contains(err.Error(), "nowhere.example does not exist") {
		t.Errorf("%+v, %v", looks, err)
	}
}
