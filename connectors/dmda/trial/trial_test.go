package trial_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/dmda/trial"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// try runs a shipped profile with replacements, pairs of old and new.
func try(t *testing.T, name string, changes ...string) []trial.Step {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "configs", "connectors", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(string(text), changes[i]) {
			t.Fatalf("%s holds no %q", name, changes[i])
		}
	}
	p, err := webservice.Load(strings.NewReader(strings.NewReplacer(changes...).Replace(string(text))), name)
	if err != nil {
		t.Fatal(err)
	}
	spool, err := atrest.NewSpool(t.TempDir(), atrest.NewKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := trial.Run(t.Context(), p, spool)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// wrong are the steps that failed.
func wrong(steps []trial.Step) string {
	var out []string
	for _, s := range steps {
		if s.Err != nil {
			out = append(out, fmt.Sprintf("%s: %v", s.Operation, s.Err))
		}
	}
	return strings.Join(out, "\n")
}

// Both shipped profiles do everything, and every operation of theirs was tried.
func TestShipped(t *testing.T) {
	for _, name := range []string{"t-systems", "mentana"} {
		steps := try(t, name)
		tried := map[webservice.Operation]bool{}
		for _, s := range steps {
			if s.Err != nil || !s.Tried || s.Said == "" {
				t.Errorf("%s: %+v", name, s)
			}
			tried[s.Operation] = true
		}
		for _, op := range webservice.Operations() {
			if want := op != webservice.OpLogin || name == "mentana"; tried[op] != want {
				t.Errorf("%s: %s: %v", name, op, tried[op])
			}
		}
	}
}

// What a profile gets wrong is found, and said so that an administrator knows where to look.
func TestWrong(t *testing.T) {
	for name, c := range map[string]struct {
		profile string
		changes []string
		want    string
	}{
		"an option is not asked for":   {"t-systems", []string{"<d:ConfirmationOfReceipt>${receipt}</d:ConfirmationOfReceipt>", ""}, "these options were asked for: receipt;"},
		"an option of another":         {"mentana", []string{`dispatch="${dispatch}"`, `dispatch="${receipt}"`}, "these options were asked for: dispatch"},
		"a list of recipients is lost": {"t-systems", []string{`<d:Bcc siegel:each="one in bcc">${one}</d:Bcc>`, ""}, "nothing arrived at geheim@stadt.de-mail.de"},
		"pages end early":              {"t-systems", []string{"next: d:ListMessagesResponse/d:NextCursor", "next: d:ListMessagesResponse/d:Nothing"}, "are listed; look at paging"},
		"an expired session is refused": {"mentana", []string{`session-expired: ["301"]`, `not-found: ["301"]`, `        not-found: ["400"]
`, ""}, "give the provider's code for that the class session-expired"},
		"the level's word":     {"mentana", []string{`level: "@level"`, `level: "@address"`}, "the address has the level high"},
		"another's identifier": {"mentana", []string{`id: m:response/m:message/@id`, `id: m:response/m:result/m:code`}, "the message was taken as 0, and "},
	} {
		t.Run(name, func(t *testing.T) {
			if got := wrong(try(t, c.profile, c.changes...)); !strings.Contains(got, c.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

// What cannot be tried says why, and is nobody's fault: an operation without an example, classes without codes, no find.
func TestNotTried(t *testing.T) {
	steps := try(t, "mentana", `      <m:response><m:result><m:code>0</m:code></m:result><m:session>${session}</m:session></m:response>
`, `      <m:response/>
`)
	if got := wrong(steps); !strings.Contains(got, "domains: ") {
		t.Errorf("%q", got)
	}
	steps = try(t, "mentana", `    example: |
      <m:response><m:result><m:code>0</m:code></m:result><m:session>${session}</m:session></m:response>
`, "")
	if len(steps) != 1 || steps[0].Tried || !strings.Contains(steps[0].Said, "operations.login.example") {
		t.Errorf("%+v", steps)
	}
	steps = try(t, "t-systems", `    example: |
      <d:GetMessageResponse><d:Message>${content}</d:Message></d:GetMessageResponse>
`, "", "        over-quota: [DAILY_LIMIT]\n", "")
	said := ""
	for _, s := range steps {
		if s.Err != nil {
			t.Error(s)
		}
		said += s.Said + "\n"
	}
	for _, want := range []string{"operations.fetch.example", "without a code and an example of it: over-quota"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in %q", want, said)
		}
	}
}

// A trial ends with its context.
func TestCanceled(t *testing.T) {
	p, err := webservice.LoadFile(filepath.Join("..", "..", "..", "configs", "connectors", "mentana.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	spool, err := atrest.NewSpool(t.TempDir(), atrest.NewKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if steps, err := trial.Run(ctx, p, spool); !errors.Is(err, context.Canceled) || steps != nil {
		t.Error(steps, err)
	}
}
