package policy_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/policy"
)

// The page for administrators lists every word and field, and no other.
func TestFlagsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/flags.md")
	if err != nil {
		t.Fatal(err)
	}
	_, words, _ := strings.Cut(string(page), "## Words in a subject")
	words, sets, _ := strings.Cut(words, "## Classifications")
	_, sets, _ = strings.Cut(sets, "## Ready sets")
	table, _, _ := strings.Cut(words, "A list under")
	sets, _, _ = strings.Cut(sets, "¹ Customary")
	var all []string
	for _, set := range []policy.Set{policy.SetSEPPmail, policy.SetHornetsecurity, policy.SetCipherMail} {
		for _, tag := range set.Tags() {
			all = append(all, strings.Replace(tag, "[sms:", "[sms:+49…]", 1))
		}
	}
	for _, name := range (policy.Vocabulary{Sets: []policy.Set{policy.SetSEPPmail}}).Fields() {
		all = append(all, strings.ToLower(name)+": yes")
	}
	for _, c := range []struct {
		text    string
		listed  []string
		besides []string
	}{
		{table, policy.SetSiegel.Tags(), []string{"policy.tags"}},
		{sets, all, []string{"policy.tags.sets", "seppmail", "hornetsecurity", "ciphermail", "siegel", "Sensitivity: companyconfidential", "Sensitivity: private"}},
	} {
		var found []string
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(c.text, -1) {
			if !slices.Contains(c.besides, m[1]) && !slices.Contains(found, m[1]) {
				found = append(found, m[1])
			}
		}
		want := slices.Compact(slices.Sorted(slices.Values(c.listed)))
		slices.Sort(found)
		if !slices.Equal(found, want) {
			t.Errorf("the page lists %q, the program knows %q", found, want)
		}
	}
}
