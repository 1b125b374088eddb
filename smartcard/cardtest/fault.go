package cardtest

import "github.com/siegel-mail/siegel/smartcard/apdu"

// Effect is a fault: what becomes of one command. The zero value does nothing.
type Effect struct {
	// Before is called before the card looks at the command. It may wait, pull the card or reset it.
	Before func()
	// Instead answers in place of the card, which never sees the command; nil in it says that the card was pulled.
	Instead func() []byte
	// After turns the answer into what the reader gets; nil says that the card was pulled.
	After func(answer []byte) []byte
}

// Removed pulls the card before it has carried out the command.
func Removed() Effect { return Effect{Instead: func() []byte { return nil }} }

// RemovedAfter pulls the card when it has carried out the command, and before the answer is read.
func RemovedAfter() Effect { return Effect{After: func([]byte) []byte { return nil }} }

// Fails answers with a status word; the card does nothing.
func Fails(sw apdu.Status) Effect { return Effect{Instead: func() []byte { return status(nil, sw) }} }

// Garbage answers with octets that mean nothing, after the card has carried out the command.
func Garbage(octets ...byte) Effect {
	return Effect{After: func([]byte) []byte { return append([]byte{}, octets...) }}
}

// Truncated hands out the first n octets of the answer.
func Truncated(n int) Effect {
	return Effect{After: func(answer []byte) []byte { return append([]byte{}, answer[:min(n, len(answer))]...) }}
}

// Slow keeps the command waiting until the channel is closed or gives something.
func Slow(until <-chan struct{}) Effect { return Effect{Before: func() { <-until }} }

// Meanwhile calls f before the card sees the command: another program that resets it, a hand that pulls it.
func Meanwhile(f func()) Effect { return Effect{Before: f} }

// Instruction matches the commands with one of these instruction bytes.
func Instruction(ins ...byte) func(apdu.Command) bool {
	return func(c apdu.Command) bool {
		for _, i := range ins {
			if i == c.INS {
				return true
			}
		}
		return false
	}
}

// Presenting matches the commands that carry a PIN or PUK.
func Presenting(c apdu.Command) bool { return c.PresentsSecret() }

// Using matches the commands that use a private key.
func Using(c apdu.Command) bool {
	return c.INS == apdu.PerformSecurity || c.INS == apdu.GeneralAuthenticate
}

type fault struct {
	match  func(apdu.Command) bool
	effect Effect
	left   int
}

// Fault lets e happen to the next n commands that match says true of; nil matches all. Each command meets one fault at most, of
// those that wait for it the one that was asked for first.
func (c *chip) Fault(n int, match func(apdu.Command) bool, e Effect) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, &fault{match, e, n})
}

// Heal forgets the faults that have not happened.
func (c *chip) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
}

func (c *chip) faultFor(command apdu.Command) Effect {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		if f.left > 0 && (f.match == nil || f.match(command)) {
			f.left--
			return f.effect
		}
	}
	return Effect{}
}
