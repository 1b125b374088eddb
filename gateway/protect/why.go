package protect

import (
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/internal/safetext"
)

const (
	mostOver = 4   // sources that one went before, in the record
	mostWhy  = 400 // bytes of one line of it
)

// why says for the record where each value of a decision came from. What nobody has said, and the factory does, is left out.
func why(all []policy.Source) (lines []string) {
	for _, s := range all {
		if s.By == policy.ByFactory && len(s.Over) == 0 {
			continue
		}
		text := origin(s)
		for i, over := range s.Over {
			if i == mostOver {
				text += fmt.Sprintf(", and %d more", len(s.Over)-i)
				break
			}
			text += before(i) + over.Value + named(over)
		}
		lines = append(lines, safetext.Line(text, mostWhy))
	}
	return lines
}

func before(i int) string {
	if i == 0 {
		return "; before "
	}
	return ", "
}

// origin is one value with its source: "encrypt=require by rule bank (siegel.yaml:12), enforced".
func origin(s policy.Source) string {
	text := string(s.Key) + "=" + s.Value + named(s)
	if s.Mode == policy.ModeEnforced {
		text += ", enforced"
	}
	return text
}

func named(s policy.Source) string {
	if s.Where != "" {
		return " by " + s.By + " (" + s.Where + ")"
	}
	return " by " + s.By
}

// dryRun says for the record what rules would have changed that only tell.
func dryRun(all []policy.Source) (lines []string) {
	for _, s := range all {
		text := origin(s)
		if len(s.Over) > 0 {
			text += " in place of " + s.Over[0].Value
		}
		lines = append(lines, safetext.Line(text, mostWhy))
	}
	return lines
}

// texted are keys as texts.
func texted(keys []policy.Key) []string {
	var words []string
	for _, k := range keys {
		words = append(words, strings.ToLower(string(k)))
	}
	return words
}
