package protect

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/entity"
)

var english = Marks{Encrypted: "[encrypted]", Valid: "[signed]", Invalid: "[signature not valid]"}

// subjects are the Subject fields of a message as it is delivered.
func (b *bench) subjects(t *testing.T, message string) []string {
	t.Helper()
	h, _, err := entity.Read(bytes.NewReader(b.prepare(t, message, false)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return h.Values("Subject")
}

func unsigned(subject string) string {
	return "From: bob@partner.example\r\nSubject: " + subject + "\r\n\r\ntext\r\n"
}

func TestMarks(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Marks = english })
	long := strings.Repeat("x", 2000)
	for name, c := range map[string]struct{ message, want string }{
		"earned":                   {b.fromBob(t, "Subject: Reply\r\n"), "[encrypted] [signed] Reply"},
		"earned anew":              {b.fromBob(t, "Subject: [signed] [encrypted] Reply\r\n"), "[encrypted] [signed] Reply"},
		"earned, encoded":          {b.fromBob(t, "Subject: =?iso-8859-1?Q?H=E4llo?=\r\n"), "[encrypted] [signed] =?iso-8859-1?Q?H=E4llo?="},
		"earned, Latin-1 as it is": {b.fromBob(t, "Subject: H\xe4llo\r\n"), "=?utf-8?q?[encrypted]_[signed]_H=C3=A4llo?="},
		"earned, without subject":  {b.fromBob(t, ""), "[encrypted] [signed]"},
		"earned, two subjects":     {b.fromBob(t, "Subject: Reply\r\nSubject: no marks\r\n"), "[encrypted] [signed] Reply"},
		"none":                     {unsigned("Hello"), "Hello"},
		"kept as was":              {unsigned("=?iso-8859-1?Q?H=E4llo?="), "=?iso-8859-1?Q?H=E4llo?="},
		"no word of it":            {unsigned("[si] [gned] not signed"), "[si] [gned] not signed"},
		"a word without end":       {unsigned(long), long},
	} {
		t.Run(name, func(t *testing.T) {
			if got := b.subjects(t, c.message); len(got) != 1 || got[0] != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// No text of a stranger looks like a mark of ours, however it is written (invariant 5).
func TestForgedMarks(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Marks = english })
	for name, c := range map[string]struct {
		subject string
		want    []string
	}{
		"plain":                     {"[signed] Hello", []string{"Hello"}},
		"other case":                {"[SIGNED] Hello [Encrypted]", []string{"Hello"}},
		"in the midst":              {"Hello [signed] you", []string{"Hello you"}},
		"nested":                    {"[sig[signed]ned] Hello", []string{"Hello"}},
		"two kinds nested":          {"[encr[si[encrypted]gned]ypted] Hello", []string{"Hello"}},
		"more blanks":               {"[signature  not \tvalid] Hello", []string{"Hello"}},
		"folded":                    {"[signature\r\n not valid] Hello", []string{"Hello"}},
		"no-break space":            {"[signature\u00a0not valid] Hello", []string{"Hello"}},
		"zero width":                {"[sig\u200bned] [\u00adsigned] Hello", []string{"Hello"}},
		"combining":                 {"[signe\u0307d] Hello", []string{"Hello"}},
		"wide":                      {"\uff3bsigned\uff3d Hello", []string{"Hello"}},
		"backwards":                 {"\u202e]dengis[\u202c Hello", []string{"]dengis[ Hello"}},
		"two fields":                {"Hello\r\nSubject: [signed] Hello", []string{"Hello", "Hello"}},
		"a topic":                   {"Hello\r\nThread-Topic: [signed] Hello", []string{"Hello"}},
		"encoded":                   {"=?utf-8?q?=5Bsigned=5D_H=C3=A4llo?=", []string{"=?utf-8?q?H=C3=A4llo?="}},
		"encoded in another word":   {"=?utf-8?B?W3NpZ25lZF0gSGVsbG8?=", []string{"Hello"}},
		"split over words":          {"=?utf-8?Q?[sig?= =?utf-8?Q?ned]?= Hello", []string{"Hello"}},
		"of Windows":                {"=?windows-1252?Q?=5Bsigned=5D_Hello?=", []string{"Hello"}},
		"beside a charset unknown":  {"=?utf-8?Q?=5Bsigned=5D?= =?x-none?Q?a?=", []string{"a"}},
		"of a charset unknown":      {"=?utf-7?Q?+AFs-signed+AF0-?=", []string{"+AFs-signed+AF0-"}},
		"encoded twice":             {"=?utf-8?Q?=3D=3Futf-8=3FQ=3F=3D5Bsigned=3D5D=3F=3D?= [signed]", []string{encword.Encode("=?utf-8?Q?=5Bsigned=5D?=")}},
		"with a line end":           {"=?utf-8?Q?[signed]a=0D=0AX-Siegel-Verdict:_valid?=", []string{"a  X-Siegel-Verdict: valid"}},
		"before a word without end": {"[signed] " + strings.Repeat("x", 2000), []string{strings.ReplaceAll(encword.Encode(strings.Repeat("x", 2000)), "\r\n", "")}},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.prepare(t, unsigned(c.subject), false)
			h, _, err := entity.Read(bytes.NewReader(got), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(h.Values("Subject"), c.want) {
				t.Errorf("got %q, want %q", h.Values("Subject"), c.want)
			}
			if v := h.Values("X-Siegel-Verdict"); len(v) != 1 || v[0] != "unsigned" {
				t.Errorf("verdict %q", v)
			}
			if v, _ := h.Get("Thread-Topic"); strings.Contains(v, "signed") {
				t.Errorf("topic %q", v)
			}
		})
	}
}

// Marks beyond ASCII leave a subject readable that is.
func TestMarksBeyondASCII(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Marks = Marks{Encrypted: "[verschlüsselt]", Valid: "[gültig]"} })
	for in, want := range map[string]string{
		"Reply": "[verschlüsselt] [gültig] Reply", "=?iso-8859-1?Q?H=E4llo?=": "[verschlüsselt] [gültig] Hällo",
		"[VERSCHLU\u0308SSELT] =?utf-8?Q?H=C3=A4llo?=": "[verschlüsselt] [gültig] Hällo", "=?utf-8?Q?[g=C3=BCltig]?= x": "[verschlüsselt] [gültig] x",
	} {
		got := b.subjects(t, b.fromBob(t, "Subject: "+in+"\r\n"))
		if len(got) != 1 || encword.Parse(got[0]).String() != want || !isASCII(got[0]) {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzMark(f *testing.F) {
	f.Add("[signed] =?utf-8?Q?[sig?= [signed]")
	f.Add("=?utf-8?Q?=3D=3Futf-8=3FQ=3F[signed]=3F=3D?= \u202e[encrypted]\xff")
	f.Add("[sig\u200b[signature not\r\n valid]ned]")
	f.Fuzz(func(t *testing.T, subject string) {
		h, _, err := entity.Read(strings.NewReader("Subject: "+subject+"\r\n\r\n"), 0)
		if err != nil {
			return
		}
		o := new(smime.Opened)
		o.Verdict = smime.Unsigned
		if err := english.mark(&h, english.earned(o, false, shown{any: true, invalid: true})); err != nil {
			t.Fatal(err)
		}
		for _, v := range h.Values("Subject") {
			if text, found := english.strip(encword.Parse(v).String()); found {
				t.Errorf("%q became %q, without marks %q", subject, v, text)
			}
		}
	})
}
