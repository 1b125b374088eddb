package policy_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
)

// This file is docs/policy.md written as a program, sentence by sentence, without a thought for speed and without a look at the engine. Values are
// words; strengths are lists of words.

// statement is one thing that somebody says about one key.
type statement struct {
	value    string
	by       string
	enforced bool
	demanded bool // it only raises
}

// strength has the values of a key, weakest first; keys that are not in it have none.
var strength = map[policy.Key][]string{
	policy.KeySign: {"never", "if-possible", "require"}, policy.KeyEncrypt: {"never", "if-possible", "require"},
	policy.KeyTLS: {"", "required", "verified"}, policy.KeyProfile: {"compatible", "rfc8551", "bsi-tr-03116-4"},
	policy.KeyAlgorithm: {"aes128-cbc", "aes256-cbc", "aes128-gcm", "aes256-gcm"},
	policy.KeyOAEP:      {"false", "true"}, policy.KeySignature: {"pkcs1", "pss"}, policy.KeyHeaderProtection: {"false", "true"},
	policy.KeySubject: {"visible", "obscured"}, policy.KeyOnMissing: {"plain", "tls", "ask", "refuse"}, policy.KeyDecrypt: {"true", "false"},
	policy.KeyOnInvalid: {"accept", "mark", "quarantine", "refuse"}, policy.KeyOnUnsigned: {"accept", "mark", "quarantine", "refuse"},
	policy.KeyOnUnopened: {"accept", "mark", "quarantine", "refuse"}, policy.KeyMarkSubject: {"false", "true"},
}

var (
	listKeys   = []policy.Key{policy.KeyArchive, policy.KeyNotify, policy.KeyDeMailOptions}
	demandKeys = []policy.Key{policy.KeyTLS, policy.KeyProfile, policy.KeyOnMissing, policy.KeyOnInvalid, policy.KeyOnUnsigned, policy.KeyOnUnopened, policy.KeyMaxSize, policy.KeyArchive, policy.KeyQuarantine, policy.KeyNotify}
)

// stronger reports whether a is stronger than b, of one key.
func stronger(key policy.Key, a, b string) bool {
	if key == policy.KeyMaxSize {
		var x, y int
		fmt.Sscan(a, &x)
		fmt.Sscan(b, &y)
		return x < y
	}
	return slices.Index(strength[key], a) > slices.Index(strength[key], b)
}

func union(a, b string) string {
	all := strings.Split(a, ", ")
	for _, name := range strings.Split(b, ", ") {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return strings.Join(all, ", ")
}

// options put the options of De-Mail into the order in which they are told.
func options(list string) string {
	var o demail.Options
	for _, name := range strings.Split(list, ", ") {
		one, _ := demail.ParseOption(name)
		o = o.Or(one)
	}
	return strings.Join(o.Names(), ", ")
}

// choose is the precedence of one key.
func choose(key policy.Key, all []statement) (chosen statement, said bool) {
	for _, enforced := range []bool{true, false} {
		for _, s := range all {
			switch {
			case s.demanded || s.enforced != enforced:
			case !said:
				chosen, said = s, true
			case !enforced || !chosen.enforced: // the first default counts
			case slices.Contains(listKeys, key):
				chosen.value = union(chosen.value, s.value)
			case stronger(key, s.value, chosen.value):
				chosen = s
			}
		}
	}
	for _, s := range all {
		switch {
		case !s.demanded:
		case !said:
			chosen, said = s, true
		case slices.Contains(listKeys, key):
			chosen.value = union(chosen.value, s.value)
		case stronger(key, s.value, chosen.value):
			chosen.value, chosen.by = s.value, s.by
		}
	}
	if key == policy.KeyDeMailOptions && said {
		chosen.value = options(chosen.value)
	}
	return chosen, said
}

// wordOf is the value of a key, in words; empty where it is not said.
func wordOf(s policy.Settings, key policy.Key) string {
	answer := func(a smime.Answer, no, yes string) string {
		return map[smime.Answer]string{smime.NotSaid: "", smime.No: no, smime.Yes: yes}[a]
	}
	switch key {
	case policy.KeySign:
		return string(s.Sign)
	case policy.KeyEncrypt:
		return string(s.Encrypt)
	case policy.KeyTLS:
		return string(s.TLS)
	case policy.KeyProfile:
		return string(s.Terms.Profile)
	case policy.KeyAlgorithm:
		return string(s.Terms.Wish.Algorithm)
	case policy.KeyOAEP:
		return answer(s.Terms.Wish.OAEP, "false", "true")
	case policy.KeySignature:
		return answer(s.Terms.Wish.PSS, "pkcs1", "pss")
	case policy.KeyHeaderProtection:
		return answer(s.Terms.Wish.Headers, "false", "true")
	case policy.KeySubject:
		return answer(s.Terms.Wish.Obscure, "visible", "obscured")
	case policy.KeyForm:
		return answer(s.Terms.Opaque, "clear", "opaque")
	case policy.KeyEncryptToSelf:
		return answer(s.Terms.ToSelf, "false", "true")
	case policy.KeyOnMissing:
		return string(s.Terms.Missing)
	case policy.KeyDeMail:
		return s.DeMail
	case policy.KeyDeMailOptions:
		return strings.Join(s.DeMailOptions.Names(), ", ")
	case policy.KeyDecrypt:
		return answer(s.Decrypt, "false", "true")
	case policy.KeyOnInvalid:
		return string(s.OnInvalid)
	case policy.KeyOnUnsigned:
		return string(s.OnUnsigned)
	case policy.KeyOnUnopened:
		return string(s.OnUnopened)
	case policy.KeyMarkSubject:
		return answer(s.MarkSubject, "false", "true")
	case policy.KeyMaxSize:
		if s.MaxSize != 0 {
			return fmt.Sprint(s.MaxSize)
		}
		return ""
	case policy.KeyArchive:
		return strings.Join(s.Archive, ", ")
	case policy.KeyQuarantine:
		return s.Quarantine
	case policy.KeyNotify:
		return strings.Join(s.Notify, ", ")
	}
	panic(key)
}

// means reports whether a key means something for a direction; levels say for internal mail how it is protected and never whether.
func means(key policy.Key, d mail.Direction, level bool) bool {
	switch key {
	case policy.KeySign, policy.KeyEncrypt, policy.KeyTLS:
		return d == mail.Outgoing || d == mail.Internal && !level
	case policy.KeyDeMail, policy.KeyDeMailOptions:
		return d == mail.Outgoing
	case policy.KeyDecrypt, policy.KeyOnInvalid, policy.KeyOnUnsigned, policy.KeyOnUnopened, policy.KeyMarkSubject:
		return d == mail.Incoming
	case policy.KeyMaxSize, policy.KeyArchive, policy.KeyQuarantine, policy.KeyNotify:
		return true
	}
	return d != mail.Incoming // how it is protected
}

// reference decides one recipient.
type reference struct {
	c  policy.Config
	in policy.Input
	r  policy.Recipient
	d  mail.Direction
}

func newReference(c policy.Config, in policy.Input, r policy.Recipient) *reference {
	ref := &reference{c, in, r, mail.Outgoing}
	switch {
	case !in.Internal:
		ref.d = mail.Incoming
	case r.Local:
		ref.d = mail.Internal
	}
	return ref
}

// statements are all that is said about a key, in the order of defaults.
func (f *reference) statements(key policy.Key, dry bool) (all []statement) {
	if key == policy.KeyTLS && f.r.DeMail {
		return nil
	}
	add := func(s policy.Settings, by string, level, named, demanded bool, kinds []policy.Kind) {
		value, enforced := wordOf(s, key), slices.Contains(s.Enforce, key)
		if value == "" || !means(key, f.d, level) {
			return
		}
		if f.r.DeMail && !named && key == policy.KeySign {
			return // what is said for everybody does not reach De-Mail,
		}
		if f.r.DeMail && !named && key == policy.KeyEncrypt && value != "require" { // but for a demand for encryption
			value, enforced = "never", false
		}
		if (key == policy.KeySign || key == policy.KeyEncrypt) && value == "if-possible" && f.in.Kind != "" && !slices.Contains(kinds, f.in.Kind) {
			value, by = "never", "kind"
		}
		all = append(all, statement{value, by, enforced, demanded})
	}
	for i, rule := range f.c.Rules {
		if rule.Name == "" {
			rule.Name = fmt.Sprintf("rule %d", i+1)
		}
		holds, demanded := f.holds(rule)
		encrypts := rule.Encrypt == policy.Require // then all of it holds, as far as it raises
		if !holds || rule.DryRun && !dry || demanded && !encrypts && !slices.Contains(demandKeys, key) {
			continue
		}
		if encrypts && key == policy.KeyEncrypt {
			demanded = false
		}
		add(rule.Settings, "rule "+rule.Name, false, rule.To != nil || rule.ToGroups != nil, demanded, rule.Kinds)
	}
	for step := range 3 {
		for _, s := range levelsOf(f.c.Recipients, "recipient", step, f.r.Address, f.groupsOf(f.r)) {
			add(s.Settings, s.by, true, true, false, nil)
		}
		if !f.in.From.IsNull() {
			for _, s := range levelsOf(f.c.Senders, "sender", step, f.in.From, f.senderGroups()) {
				add(s.Settings, s.by, true, false, false, nil)
			}
			continue
		}
		for _, e := range f.c.Senders { // mail without a single author may be anybody's
			if !slices.Contains(stepOf(e), step) || f.d == mail.Incoming && e.Groups != nil { // nobody outside is in a group
				continue
			}
			if key == policy.KeyEncrypt && e.Encrypt == policy.Require {
				add(e.Settings, "sender", true, false, false, nil)
			}
			if slices.Contains(demandKeys, key) {
				add(e.Settings, "sender", true, false, true, nil)
			}
		}
	}
	add(f.c.Company, "company", true, false, false, nil)
	if v := factoryWord(key, f.d, f.r.DeMail); v != "" {
		add2 := statement{v, "factory", false, false}
		if v == "if-possible" && f.in.Kind != "" {
			add2 = statement{"never", "kind", false, false}
		}
		all = append(all, add2)
	}
	return all
}

func factoryWord(key policy.Key, d mail.Direction, deMail bool) string {
	switch {
	case d == mail.Incoming:
		return map[policy.Key]string{
			policy.KeyDecrypt: "true", policy.KeyOnInvalid: "mark", policy.KeyOnUnsigned: "accept", policy.KeyOnUnopened: "mark", policy.KeyMarkSubject: "true",
		}[key]
	case (key == policy.KeySign || key == policy.KeyEncrypt) && (d == mail.Internal || deMail):
		return "never"
	case key == policy.KeySign || key == policy.KeyEncrypt:
		return "if-possible"
	case key == policy.KeyProfile:
		return "compatible"
	case key == policy.KeyOnMissing:
		return "refuse"
	}
	return ""
}

// stepOf are the steps on which an entry stands: 0 addresses, 1 groups, 2 domains.
func stepOf(e policy.Entry) (steps []int) {
	if e.Groups != nil {
		return []int{1}
	}
	for _, p := range e.For {
		if strings.HasPrefix(p.String(), "@") {
			steps = append(steps, 2)
		} else {
			steps = append(steps, 0)
		}
	}
	return steps
}

type level struct {
	policy.Settings
	by     string
	labels int // of the domain, of which the most is nearest
}

// levelsOf are the entries for an address on one step, the nearest first.
func levelsOf(entries []policy.Entry, whose string, step int, a mail.Address, groups []string) (out []level) {
	for _, e := range entries {
		if step == 1 && slices.ContainsFunc(e.Groups, func(g string) bool {
			return slices.ContainsFunc(groups, func(in string) bool { return strings.EqualFold(g, in) })
		}) {
			out = append(out, level{e.Settings, whose + " group " + strings.Join(e.Groups, ", "), 0})
		}
		for _, p := range e.For {
			text := p.String()
			isDomain := strings.HasPrefix(text, "@")
			if !p.Match(a) || isDomain != (step == 2) || step == 1 {
				continue
			}
			labels, by := strings.Count(text, ".")+100, whose+" address "+text
			if isDomain {
				by = whose + " domain " + text[1:]
			}
			if strings.Contains(text, "@*.") {
				labels -= 100 // a wildcard is farther than what is written out
			}
			out = append(out, level{e.Settings, by, labels})
		}
	}
	slices.SortStableFunc(out, func(a, b level) int { return cmp.Compare(b.labels, a.labels) })
	return out
}

func (f *reference) groupsOf(r policy.Recipient) []string {
	if !r.Local {
		return nil
	}
	return r.Groups
}

func (f *reference) senderGroups() []string {
	if !f.in.Internal {
		return nil
	}
	return f.in.Groups
}

// holds reports whether a rule is for the message and the recipient; demanded, that it is for some senders and nobody knows whether for this one.
func (f *reference) holds(r policy.Rule) (holds, demanded bool) {
	any := func(names, in []string) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			return slices.ContainsFunc(in, func(i string) bool { return strings.EqualFold(i, n) })
		})
	}
	direction := r.Direction
	if direction == "" {
		direction = mail.Outgoing
	}
	fl := f.in.Flags
	flags := map[string]bool{
		"sign": fl.Sign, "encrypt": fl.Encrypt, "plain": fl.Plain, "no_sign": fl.NoSign || fl.Plain, "no_encrypt": fl.NoEncrypt || fl.Plain,
		"tls": fl.TLS != "", "de_mail": fl.DeMail != policy.DeMailFlags{},
	}
	conditions := []bool{
		direction == f.d,
		r.To == nil || r.To.Match(f.r.Address),
		r.ToGroups == nil || any(r.ToGroups, f.groupsOf(f.r)),
		r.Kinds == nil || slices.Contains(r.Kinds, f.in.Kind),
		r.Listeners == nil || slices.Contains(r.Listeners, f.in.Listener),
		r.SizeOver == 0 || f.in.Size > r.SizeOver,
		r.SizeUnder == 0 || f.in.Size < r.SizeUnder,
		r.Subject == policy.Field{} || fits(r.Subject, f.in.Subject),
		r.Flags == nil || slices.ContainsFunc(r.Flags, func(name string) bool { return flags[name] }),
		r.Labels == nil || any(r.Labels, fl.Labels),
		r.ContentTypes == nil || slices.ContainsFunc(f.in.ContentTypes, func(t string) bool {
			main, _, _ := strings.Cut(t, "/")
			return any(r.ContentTypes, []string{t, main + "/*"})
		}),
	}
	for _, h := range r.Headers {
		found := false
		if f.in.Header != nil {
			for _, v := range f.in.Header.Values(h.Name) {
				found = found || fits(h, v)
			}
		}
		conditions = append(conditions, found)
	}
	if slices.Contains(conditions, false) {
		return false, false
	}
	byNobody := r.Groups == nil && (r.From == nil || r.From.Match(mail.Address{}))
	if f.in.From.IsNull() && !byNobody { // it may be anybody's
		return true, true
	}
	return (r.From == nil || r.From.Match(f.in.From)) && (r.Groups == nil || any(r.Groups, f.senderGroups())), false
}

// fits knows the regular expression that these tests use.
func fits(f policy.Field, value string) bool {
	switch {
	case f.Matches != "" && f.Matches != "^Offer [0-9]$":
		panic(f.Matches)
	case f.Matches != "" && (len(value) != len("Offer 1") || !strings.HasPrefix(value, "Offer ") || value[6] < '0' || value[6] > '9'):
		return false
	}
	return strings.Contains(strings.ToLower(value), strings.ToLower(f.Contains))
}

// decided is what a key comes to with flags and with what was in force earlier, and by what.
func (f *reference) decided(key policy.Key, dry bool) (value, by string, lowered bool) {
	s, said := choose(key, f.statements(key, dry))
	value, by = s.value, s.by
	if f.d == mail.Incoming || !said && key != policy.KeyTLS {
		return value, by, false
	}
	fl := f.in.Flags
	if f.d == mail.Internal {
		fl = policy.Flags{}
	}
	to := func(v, who string) {
		if stronger(key, v, value) {
			value, by = v, who
		}
	}
	protects := func(must, try, less bool, earlier policy.Level) {
		switch {
		case must:
			to("require", "flag")
		case try:
			to("if-possible", "flag")
		case less && !s.enforced && !f.in.From.IsNull() && f.in.MayUse && value != "never":
			value, by, lowered = "never", "flag", true
		}
		to(string(earlier), "earlier")
	}
	switch key {
	case policy.KeySign:
		protects(fl.Sign, fl.TrySign, fl.NoSign || fl.Plain, f.r.AtLeast.Sign)
	case policy.KeyEncrypt:
		protects(fl.Encrypt, fl.TryEncrypt, fl.NoEncrypt || fl.Plain, f.r.AtLeast.Encrypt)
	case policy.KeyTLS:
		if !f.r.DeMail {
			to(string(fl.TLS), "flag")
			to(string(f.r.AtLeast.TLS), "earlier")
		}
	case policy.KeyProfile:
		if f.r.AtLeast.Profile == smime.TR03116 {
			to("bsi-tr-03116-4", "earlier")
		}
	case policy.KeyOnMissing:
		if fl.Encrypt && (value == "tls" || value == "plain") {
			value, by = "refuse", "flag"
		}
		if f.r.AtLeast.Missing != "" {
			to(string(f.r.AtLeast.Missing), "earlier")
		} else if f.r.AtLeast.Encrypt == policy.Require {
			to("ask", "earlier")
		}
	}
	return value, by, lowered
}

// outcome is what is done: "sign", "encrypt", "ask", "tls", "plain", "refuse".
func (f *reference) outcome() (words []string) {
	word := func(key policy.Key) string { v, _, _ := f.decided(key, false); return v }
	if f.d == mail.Incoming && !f.r.Local {
		return []string{"refuse"}
	}
	refused := false
	if size := word(policy.KeyMaxSize); size != "" && stronger(policy.KeyMaxSize, size, fmt.Sprint(f.in.Size)) {
		refused = true
	}
	if f.d == mail.Incoming {
		if refused {
			return []string{"refuse"}
		}
		return nil
	}
	sign := word(policy.KeySign) == "require" || word(policy.KeySign) == "if-possible" && f.in.CanSign
	encrypt := word(policy.KeyEncrypt) == "require" || word(policy.KeyEncrypt) == "if-possible" && f.r.CanEncrypt
	instead := ""
	if encrypt && !f.r.CanEncrypt {
		switch missing := word(policy.KeyOnMissing); {
		case f.d == mail.Internal, missing == "refuse", missing == "ask" && f.r.NoAsk:
			refused = true
		case missing == "ask":
			instead = "ask"
		default:
			encrypt, instead = false, missing
		}
	}
	refused = refused || sign && (!f.in.CanSign || f.r.UnfitSigner.ID != "") || encrypt && f.r.Unfit.ID != ""
	if sign {
		words = append(words, "sign")
	}
	if encrypt {
		words = append(words, "encrypt")
	}
	if refused && instead == "ask" {
		instead = ""
	}
	if instead != "" {
		words = append(words, instead)
	}
	if refused {
		words = append(words, "refuse")
	}
	return words
}
