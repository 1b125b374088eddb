package protect

import (
	"iter"
	"slices"

	"github.com/siegel-mail/siegel/gateway/policy"
)

// unsure is what is not known of a message that has to be archived at once: it may be none, all, or one of each list. A copy too many can be deleted, one too
// few is never made.
type unsure struct {
	sender     []string   // the groups that From may be in
	recipients [][]string // the same of each recipient, in order; may be nil
	types      []string   // the media types of its parts
}

// decisions are what policy decides on in, whatever it is that is not known.
func (p *Protector) decisions(in policy.Input, u unsure) iter.Seq[policy.Decision] {
	turns := 1
	for _, groups := range u.recipients {
		turns = max(turns, len(choices(groups, nil)))
	}
	return func(yield func(policy.Decision) bool) {
		in := in
		for _, in.Groups = range choices(u.sender, in.Groups) {
			for _, in.ContentTypes = range choices(u.types, in.ContentTypes) {
				for turn := range turns {
					in.Recipients = u.turn(in.Recipients, turn)
					for _, dec := range p.o.Policy.Decide(in) {
						if !yield(dec) {
							return
						}
					}
				}
			}
		}
	}
}

// turn are the recipients with one choice each; what is decided on one does not hang on the others.
func (u *unsure) turn(recipients []policy.Recipient, turn int) []policy.Recipient {
	recipients = slices.Clone(recipients)
	for i, groups := range u.recipients {
		if len(groups) > 0 {
			all := choices(groups, nil)
			recipients[i].Groups = all[turn%len(all)]
		}
	}
	return recipients
}

// choices are what may be in place of a list: what is known, where nothing is unsure.
func choices(unsure, known []string) [][]string {
	if len(unsure) == 0 {
		return [][]string{known}
	}
	return append([][]string{nil, unsure}, slices.Collect(slices.Chunk(unsure, 1))...)
}
