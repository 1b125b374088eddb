package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smartcard"
)

// cardPage is docs/smartcards.md.
func cardPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/smartcards.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The table of conditions has each that there is, and no other, with what to do.
func TestSmartcardPageConditions(t *testing.T) {
	_, section, _ := strings.Cut(cardPage(t), "\n## What each condition means\n")
	section, _, _ = strings.Cut(section, "\n## ")
	told := map[smartcard.Condition]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([^|]+) \\| ([^|]+) \\|$").FindAllStringSubmatch(section, -1) {
		c := smartcard.Condition(row[1])
		if told[c] {
			t.Errorf("%s stands there twice", c)
		}
		told[c] = true
		if !slices.Contains(smartcard.Conditions(), c) {
			t.Errorf("there is no condition %s", c)
		}
	}
	for _, c := range smartcard.Conditions() {
		if !told[c] {
			t.Errorf("the page does not tell of %s: %s", c, c.Advice())
		}
	}
}

// Each command that the page names is one, each link leads somewhere, and each file of configs is there.
func TestSmartcardPage(t *testing.T) {
	page := cardPage(t)
	for _, m := range regexp.MustCompile(`siegel smartcard ([a-z-]+)`).FindAllStringSubmatch(page, -1) {
		var out, err strings.Builder
		if code := run([]string{"smartcard", m[1], "--help"}, &out, &err); code != exitDone {
			t.Errorf("there is no siegel smartcard %s", m[1])
		}
	}
	_, commands, _ := strings.Cut(page, "\n## The commands\n")
	for _, name := range []string{"list", "probe", "bind", "watch", "export-cert", "status", "unlock", "change-pin", "simulate"} {
		if !regexp.MustCompile("(?m)^\\| `" + name + "[`\\[ ]").MatchString(commands) {
			t.Errorf("the page does not tell of %s", name)
		}
	}
	heads := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^##+ (.*)$`).FindAllStringSubmatch(page, -1) {
		heads[strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")] = true
	}
	for _, m := range regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(page, -1) {
		if !heads[m[1]] {
			t.Errorf("no section %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`(?:configs/)?([a-z0-9@-]+\\.(?:service|timer|rules))`").FindAllStringSubmatch(page, -1) {
		if _, err := os.Stat("../../configs/" + m[1]); err != nil {
			t.Error(err)
		}
	}
}
