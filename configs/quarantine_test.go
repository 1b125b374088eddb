package configs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/policy"
)

// The example of administration.md is a configuration, with everybody in it whom a policy can tell.
func TestQuarantineExample(t *testing.T) {
	text, err := os.ReadFile("../docs/administration.md")
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile("(?s)\n## Quarantine\n.*?```yaml\n(.*?)```").FindSubmatch(text)
	if section == nil {
		t.Fatal("no example")
	}
	base, _, _ := strings.Cut(small, "policy:\n")
	c := load(t, base+string(section[1])+"admin: {socket: state/siegel.sock}\n")
	if got := c.Policy.Recipients[0]; got.OnInvalid != policy.Quarantine || !slices.Equal(got.Notify, []string{"recipient", "security@firma.example"}) {
		t.Errorf("%+v", got)
	}
	if got := c.Policy.Rules[0]; got.Quarantine == "" || got.SubjectContains != "offer" || !slices.Equal(got.Notify, []string{"chef@firma.example"}) {
		t.Errorf("%+v", got)
	}
}
