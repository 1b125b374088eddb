package configs

import (
	"errors"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var cardPairs = []Pair{{"serial", `"42"`}, {"certificate", `"ab" # new`}, {"pin", "{file: /etc/siegel/new.pin}"}}

const cardEntry = "  - name: new\n    serial: \"42\"\n    certificate: \"ab\" # new\n    pin: {file: /etc/siegel/new.pin}\n"

// An entry finds its place, and nothing else changes.
func TestSetEntry(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"nothing":         {"", "cards:\n" + cardEntry},
		"comments alone":  {"# mine\n", "# mine\n\ncards:\n" + cardEntry},
		"no section":      {"a: 1 # one\n\n\n", "a: 1 # one\n\ncards:\n" + cardEntry},
		"no line end":     {"a: 1", "a: 1\n\ncards:\n" + cardEntry},
		"empty section":   {"cards: # none yet\nb: 2\n", "cards: # none yet\n" + cardEntry + "b: 2\n"},
		"brackets":        {"cards: [] # none\nb: 2\n", "cards: # none\n" + cardEntry + "b: 2\n"},
		"beside others":   {"cards:\n  - name: old # first\n    serial: \"1\"\n\n# about b\nb: 2\n", "cards:\n  - name: old # first\n    serial: \"1\"\n" + cardEntry + "\n# about b\nb: 2\n"},
		"comment within":  {"cards:\n  - name: old\n    # more to come\nb: 2\n", "cards:\n  - name: old\n    # more to come\n" + cardEntry + "b: 2\n"},
		"at the margin":   {"cards:\n- name: old\n", "cards:\n- name: old\n" + strings.ReplaceAll(cardEntry[2:], "\n  ", "\n") + ""},
		"value alike":     {"x: cards\ncards:\n- name: old\n", "x: cards\ncards:\n- name: old\n" + strings.ReplaceAll(cardEntry[2:], "\n  ", "\n")},
		"value alike too": {"x: cards\n", "x: cards\n\ncards:\n" + cardEntry},
		"indented":        {"  a: 1\n", "  a: 1\n\n  cards:\n  " + strings.TrimSuffix(strings.ReplaceAll(cardEntry, "\n", "\n  "), "  ")},
		"renewed": {"cards:\n  # the card\n  - name: new\n    # provider's\n    certificate: cd # old one\n    reader: R # 1\n    pin: {file: a} # keep safe\n    serial: '7' # printed\nb: 2\n",
			"cards:\n  # the card\n  - name: new\n    # provider's\n    certificate: \"ab\" # new\n    reader: R # 1\n    pin: {file: /etc/siegel/new.pin} # keep safe\n    serial: \"42\" # printed\nb: 2\n"},
		"renewed, more keys": {"cards:\n  - certificate: cd\n    name: new # it\n", "cards:\n  - certificate: \"ab\" # new\n    name: new # it\n    serial: \"42\"\n    pin: {file: /etc/siegel/new.pin}\n"},
		"Windows":            {"a: 1\r\ncards:\r\n  - name: old\r\n", "a: 1\r\ncards:\r\n  - name: old\r\n" + strings.ReplaceAll(cardEntry, "\n", "\r\n")},
	} {
		got, err := SetEntry([]byte(c.before), "cards", "new", cardPairs)
		if err != nil || string(got) != c.after {
			t.Errorf("%s: %v\n%s---\n%s", name, err, got, c.after)
			continue
		}
		again, err := SetEntry(got, "cards", "new", cardPairs)
		if err != nil || string(again) != c.after {
			t.Errorf("%s, again: %v\n%s", name, err, again)
		}
	}
}

// What cannot be edited safely is left to a hand, and the file is as it was.
func TestSetEntryByHand(t *testing.T) {
	for name, text := range map[string]string{
		"no keys": "- 1\n", "one line": "{a: 1}\n", "no list": "cards: yes\n", "in brackets": "cards: [{name: old}]\n", "in brackets below": "cards:\n  []\n",
		"braces": "cards:\n  - {name: new, serial: 1}\n", "anchor": "cards: &x\n  - name: old\ny: *x\n", "alias": "x: &x\n  - name: old\ncards: *x\n",
		"several lines": "cards:\n  - name: new\n    serial: |\n      7\n", "quotation": "cards:\n  - name: new\n    serial: \"7\n      8\"\n",
		"list": "cards:\n  - name: new\n    serial: [1]\n", "nested": "cards:\n  - name: new\n    pin:\n      file: x\n", "end": "a: 1\n...\n",
		"twice": "cards:\n  - name: old\n  - name: new\n    serial: \"7\\\"8\"\n",
	} {
		if got, err := SetEntry([]byte(text), "cards", "new", cardPairs); !errors.Is(err, ErrByHand) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	if _, err := SetEntry([]byte("a: 1\nb: [\n"), "cards", "new", cardPairs); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Error(err)
	}
}

func TestEntryText(t *testing.T) {
	if got := EntryText("cards", "new", cardPairs); got != "cards:\n"+cardEntry {
		t.Error(got)
	}
	for name, want := range map[string]string{"a-b.c_1": "a-b.c_1", "7": `"7"`, "yes": `yes`, "null": `"null"`, "1e3": `"1e3"`, "-": `"-"`, "2027-01-01": `"2027-01-01"`} {
		if got := nameValue(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	for text, want := range map[string]string{"a b": `"a b"`, `q"\`: `"q\"\\"`, "[x] 00/01 *": `"[x] 00/01 *"`, "ü\n": `"ü\n"`} {
		var back string
		got := Quoted(text)
		if err := yaml.Unmarshal([]byte(got), &back); got != want || err != nil || back != text {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}

// Whatever a file holds: it is edited so that it reads as it is meant, or not at all.
func FuzzSetEntry(f *testing.F) {
	for _, text := range []string{"", "a: 1\n", "cards:\n  - name: new\n    serial: 7 # x\n", "cards: []\nb: 2\n", "cards:\n- name: old\n# c\nb: {x: [1, 2]}\n", "cards: &x\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			return
		}
		got, err := SetEntry([]byte(text), "cards", "new", cardPairs)
		if err != nil {
			return
		}
		var read map[string]any
		if err := yaml.Unmarshal(got, &read); err != nil {
			t.Fatalf("%v\n%s", err, got)
		}
		n := 0
		cards, _ := read["cards"].([]any)
		for _, c := range cards {
			if c, ok := c.(map[string]any); ok && c["name"] == "new" && c["serial"] == "42" && c["certificate"] == "ab" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d entries\n%s", n, got)
		}
	})
}
