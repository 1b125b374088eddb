package interop

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/interoperability.md")

// pageFile is the page; what stands between markers in it comes from here.
var pageFile = filepath.Join("..", "..", "docs", "interoperability.md")

// page compares what came out with the page.
func (m *matrix) page(t *testing.T) {
	t.Helper()
	data, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	p := &pageWriter{m: m}
	page := string(data)
	for _, s := range []struct {
		name      string
		keys      []lineKey
		direction string
		second    string
	}{
		{"signed by Siegel", signKeys(), readsOurs, "digest"}, {"signed by others", signKeys(), writes, "digest"},
		{"encrypted by Siegel", sealKeys(), readsOurs, "content"}, {"encrypted by others", sealKeys(), writes, "content"},
	} {
		page = replaceSection(t, page, s.name, p.table(s.keys, s.direction, map[bool]string{true: "signature", false: "recipient"}[s.second == "digest"], s.second))
	}
	page = replaceSection(t, page, "reasons", p.reasons())
	page = replaceSection(t, page, "versions", m.versions())
	if page == string(data) {
		return
	}
	if *update {
		if err := os.WriteFile(pageFile, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !strings.Contains(string(data), m.versions()) {
		t.Logf("the page was written with other versions than these, so it is not compared with them:\n%s", m.versions())
		return
	}
	t.Errorf("docs/interoperability.md says something else than what came out; look at the difference, then run go test ./test/interop -update\n%s", difference(string(data), page))
}

// replaceSection puts text between the markers of a section.
func replaceSection(t *testing.T, page, name, text string) string {
	t.Helper()
	begin, end := "<!-- begin: "+name+" -->\n", "<!-- end: "+name+" -->"
	before, rest, ok := strings.Cut(page, begin)
	_, after, found := strings.Cut(rest, end)
	if !ok || !found {
		t.Fatalf("docs/interoperability.md has no section %s", name)
	}
	return before + begin + text + end + after
}

// difference are the lines that only one of two pages has.
func difference(old, new string) string {
	var out strings.Builder
	for _, side := range []struct{ sign, a, b string }{{"-", old, new}, {"+", new, old}} {
		lines := strings.Split(side.b, "\n")
		for l := range strings.SplitSeq(side.a, "\n") {
			if !slices.Contains(lines, l) {
				fmt.Fprintln(&out, side.sign, l)
			}
		}
	}
	return out.String()
}

func (m *matrix) versions() string {
	var all []string
	for _, p := range m.peers {
		all = append(all, p.name()+" "+p.version())
	}
	return strings.Join(all, ", ") + "\n"
}

// lineKey is the place of a case on the page.
type lineKey struct{ row, sub, variant, key string }

func signKeys() []lineKey {
	var all []lineKey
	for _, c := range signCases() {
		all = append(all, lineKey{c.row(), hashNames[c.hash], c.variant(), c.key()})
	}
	return all
}

func sealKeys() []lineKey {
	var all []lineKey
	for _, c := range sealCases() {
		all = append(all, lineKey{c.row(), c.algorithm, c.variant(), c.key()})
	}
	return all
}

// pageWriter numbers reasons as they appear.
type pageWriter struct {
	m     *matrix
	notes []string
}

// number of a reason.
func (p *pageWriter) number(reason string) string {
	i := slices.Index(p.notes, reason)
	if i < 0 {
		i = len(p.notes)
		p.notes = append(p.notes, reason)
	}
	return fmt.Sprint(i + 1)
}

func (p *pageWriter) reasons() string {
	var out strings.Builder
	for i, n := range p.notes {
		fmt.Fprintf(&out, "%d. %s\n", i+1, n)
	}
	return out.String()
}

// pageRow is the outcome of a row of cases: cells, and the subs that have them.
type pageRow struct {
	names []string
	subs  []string // joined, in the order of cells
	cells []string
}

// table has the outcomes in one direction. Subs that differ in nothing share a line, and so do rows.
func (p *pageWriter) table(keys []lineKey, direction, first, second string) string {
	var rows []pageRow
	for _, groups := range grouped(keys) {
		row := p.row(groups, direction)
		same := func(r pageRow) bool { return slices.Equal(r.subs, row.subs) && slices.Equal(r.cells, row.cells) }
		if i := slices.IndexFunc(rows, same); i >= 0 {
			rows[i].names = append(rows[i].names, row.names...)
		} else {
			rows = append(rows, row)
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "| %s | %s |", first, second)
	for _, q := range p.m.peers {
		out.WriteString(" " + q.name() + " |")
	}
	out.WriteString("\n" + strings.Repeat("|---", 2+len(p.m.peers)) + "|\n")
	for _, r := range rows {
		for i := range r.subs {
			fmt.Fprintf(&out, "| %s | %s |%s\n", strings.Join(r.names, "; "), r.subs[i], r.cells[i])
		}
	}
	return out.String()
}

// row is the outcome of one row.
func (p *pageWriter) row(groups [][]lineKey, direction string) pageRow {
	r := pageRow{names: []string{groups[0][0].row}}
	for _, g := range groups {
		cells := ""
		for _, q := range p.m.peers {
			cells += " " + p.cell(q, g, direction) + " |"
		}
		switch i := slices.Index(r.cells, cells); {
		case !strings.ContainsAny(cells, "yns–0123456789"): // nobody was asked
		case i >= 0:
			r.subs[i] += ", " + g[0].sub
		default:
			r.subs, r.cells = append(r.subs, g[0].sub), append(r.cells, cells)
		}
	}
	return r
}

// grouped are the cases of each row, and within it of each sub.
func grouped(keys []lineKey) [][][]lineKey {
	var all [][][]lineKey
	for _, k := range keys {
		i := slices.IndexFunc(all, func(g [][]lineKey) bool { return g[0][0].row == k.row })
		if i < 0 {
			i = len(all)
			all = append(all, nil)
		}
		j := slices.IndexFunc(all[i], func(g []lineKey) bool { return g[0].sub == k.sub })
		if j < 0 {
			j = len(all[i])
			all[i] = append(all[i], nil)
		}
		all[i][j] = append(all[i][j], k)
	}
	return all
}

// cell tells the outcomes of all variants.
func (p *pageWriter) cell(q peer, group []lineKey, direction string) string {
	var good, asked, numbers []string
	lacking := false
	for _, k := range group {
		err := p.m.outcomes[k.key][q.name()+direction]
		switch {
		case errors.Is(err, errNotSent):
			continue
		case errors.As(err, new(lack)):
			lacking = true
			continue
		case err == nil:
			good = append(good, k.variant)
		default:
			if n := p.number(q.name() + " " + reason(q.name(), err)); !slices.Contains(numbers, n) {
				numbers = append(numbers, n)
			}
		}
		asked = append(asked, k.variant)
	}
	because := ""
	if len(numbers) > 0 {
		because = " (" + strings.Join(numbers, ", ") + ")"
	}
	switch {
	case len(asked) == 0 && lacking:
		return "–"
	case len(asked) == 0:
		return ""
	case len(good) == len(asked):
		return "yes"
	case len(good) == 0:
		return "no" + because
	}
	return only(good, asked) + because
}

// only says in short which variants are good.
func only(good, asked []string) string {
	words := func(variants []string, i int) []string {
		var all []string
		for _, v := range variants {
			if w := strings.Split(v, ", ")[i]; !slices.Contains(all, w) {
				all = append(all, w)
			}
		}
		return all
	}
	var parts []string
	count := 1
	for i := range 2 {
		g := words(good, i)
		count *= len(g)
		if len(g) < len(words(asked, i)) {
			parts = append(parts, strings.Join(g, ", "))
		}
	}
	if count != len(good) {
		return fmt.Sprintf("%d of %d", len(good), len(asked))
	}
	return strings.Join(parts, "; ")
}

// noise is what differs from run to run in the errors of programs.
var noise = regexp.MustCompile(`(?:/[\w.-]+)+/|\b[0-9A-F]{8,}\b:?|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|exit status \d+: `)

// reason is an error in words, if they are known; else without what differs from run to run.
func reason(peer string, err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	for _, r := range reasons {
		if strings.HasSuffix(peer, r.peer) && r.sign.MatchString(text) {
			return r.words
		}
	}
	text = noise.ReplaceAllString(text, "")
	if len(text) > 300 {
		text = text[:300]
	}
	return text
}
