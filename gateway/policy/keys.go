package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// Keys returns all keys, in the order in which they are told.
func Keys() []Key {
	out := make([]Key, len(settings))
	for i := range settings {
		out[i] = settings[i].key
	}
	return out
}

// setting is what can be done with one key, whatever its values are.
type setting struct {
	key  Key
	ways ways
	said func(*Settings) bool
	// take copies the value of one to another, raise makes it the stronger one of both, or, where they add up, both together. It reports whether
	// that changed anything. Where neither is stronger it does nothing.
	take  func(to, from *Settings)
	raise func(to, from *Settings) bool
	text  func(*Settings) string
	adds  bool // values add up
}

// ways are the directions for which a key means something.
type ways uint8

const (
	wayOut ways = 1 << iota
	wayInside
	wayIn
	leveled // levels say it for internal mail, too, and not rules alone
)

const (
	fromInside = wayOut | wayInside
	anywhere   = fromInside | wayIn | leveled
)

// wayOf is the bit of a direction.
func wayOf(d mail.Direction) ways {
	switch d {
	case mail.Outgoing:
		return wayOut
	case mail.Internal:
		return wayInside
	case mail.Incoming:
		return wayIn
	}
	return 0
}

// The places of keys that the engine itself knows.
const (
	atSign = iota
	atEncrypt
	atTLS
	atProfile
	atMissing
	numKeys = 23
)

// settings are all keys. What has an order of strength names its values, weakest first.
var settings = [numKeys]setting{
	ordered(KeySign, fromInside, func(s *Settings) *Level { return &s.Sign }, Never, IfPossible, Require),
	ordered(KeyEncrypt, fromInside, func(s *Settings) *Level { return &s.Encrypt }, Never, IfPossible, Require),
	ordered(KeyTLS, fromInside, func(s *Settings) *mail.TLSLevel { return &s.TLS }, mail.TLSRequired, mail.TLSVerified),
	ordered(KeyProfile, fromInside|leveled, func(s *Settings) *smime.Profile { return &s.Terms.Profile }, smime.Compatible, smime.RFC8551, smime.TR03116),
	ordered(KeyOnMissing, fromInside|leveled, func(s *Settings) *Missing { return &s.Terms.Missing }, SendPlain, SendTLS, Ask, Refuse),
	ordered(KeyAlgorithm, fromInside|leveled, func(s *Settings) *cms.Algorithm { return &s.Terms.Wish.Algorithm }, cms.AES128CBC, cms.AES256CBC, cms.AES128GCM, cms.AES256GCM),
	answered(KeyOAEP, fromInside|leveled, func(s *Settings) *smime.Answer { return &s.Terms.Wish.OAEP }, [2]string{"false", "true"}, smime.No, smime.Yes),
	answered(KeySignature, fromInside|leveled, func(s *Settings) *smime.Answer { return &s.Terms.Wish.PSS }, [2]string{"pkcs1", "pss"}, smime.No, smime.Yes),
	answered(KeyHeaderProtection, fromInside|leveled, func(s *Settings) *smime.Answer { return &s.Terms.Wish.Headers }, [2]string{"false", "true"}, smime.No, smime.Yes),
	answered(KeySubject, fromInside|leveled, func(s *Settings) *smime.Answer { return &s.Terms.Wish.Obscure }, [2]string{"visible", "obscured"}, smime.No, smime.Yes),
	answered(KeyForm, fromInside|leveled, func(s *Settings) *smime.Answer { return &s.Terms.Opaque }, [2]string{"clear", "opaque"}),
	answered(KeyEncryptToSelf, fromInside|leveled, func(s *Settings) *smime.Answer { return &s.Terms.ToSelf }, [2]string{"false", "true"}),
	ordered(KeyDeMail, wayOut, func(s *Settings) *string { return &s.DeMail }),
	{
		key: KeyDeMailOptions, ways: wayOut,
		said:  func(s *Settings) bool { return s.DeMailOptions != demail.Options{} },
		take:  func(to, from *Settings) { to.DeMailOptions = from.DeMailOptions },
		raise: raiseOptions, adds: true,
		text: func(s *Settings) string { return strings.Join(s.DeMailOptions.Names(), ", ") },
	},
	answered(KeyDecrypt, wayIn, func(s *Settings) *smime.Answer { return &s.Decrypt }, [2]string{"false", "true"}, smime.Yes, smime.No),
	ordered(KeyOnInvalid, wayIn, func(s *Settings) *Action { return &s.OnInvalid }, Accept, Mark, Quarantine, RefuseIt),
	ordered(KeyOnUnsigned, wayIn, func(s *Settings) *Action { return &s.OnUnsigned }, Accept, Mark, Quarantine, RefuseIt),
	ordered(KeyOnUnopened, wayIn, func(s *Settings) *Action { return &s.OnUnopened }, Accept, Mark, Quarantine, RefuseIt),
	answered(KeyMarkSubject, wayIn, func(s *Settings) *smime.Answer { return &s.MarkSubject }, [2]string{"false", "true"}, smime.No, smime.Yes),
	{
		key: KeyMaxSize, ways: anywhere,
		said: func(s *Settings) bool { return s.MaxSize != 0 },
		take: func(to, from *Settings) { to.MaxSize = from.MaxSize },
		raise: func(to, from *Settings) bool {
			if from.MaxSize >= to.MaxSize {
				return false
			}
			to.MaxSize = from.MaxSize
			return true
		},
		text: func(s *Settings) string {
			if s.MaxSize == 0 {
				return ""
			}
			return strconv.FormatInt(s.MaxSize, 10)
		},
	},
	listed(KeyArchive, func(s *Settings) *[]string { return &s.Archive }),
	ordered(KeyQuarantine, anywhere, func(s *Settings) *string { return &s.Quarantine }),
	listed(KeyNotify, func(s *Settings) *[]string { return &s.Notify }),
}

// ordered is a key with single values. order has them by strength, weakest first; none: there is no order.
func ordered[T ~string](key Key, w ways, at func(*Settings) *T, order ...T) setting {
	return single(key, w, at, func(v T) string { return string(v) }, order)
}

// answered is ordered for a key that is answered by yes or no; words are no and yes.
func answered(key Key, w ways, at func(*Settings) *smime.Answer, words [2]string, order ...smime.Answer) setting {
	return single(key, w, at, func(a smime.Answer) string {
		switch a {
		case smime.Yes:
			return words[1]
		case smime.No:
			return words[0]
		}
		return ""
	}, order)
}

func single[T comparable](key Key, w ways, at func(*Settings) *T, text func(T) string, order []T) setting {
	var zero T
	return setting{
		key: key, ways: w,
		said: func(s *Settings) bool { return *at(s) != zero },
		take: func(to, from *Settings) { *at(to) = *at(from) },
		raise: func(to, from *Settings) bool {
			if slices.Index(order, *at(from)) <= slices.Index(order, *at(to)) {
				return false
			}
			*at(to) = *at(from)
			return true
		},
		text: func(s *Settings) string { return text(*at(s)) },
	}
}

// listed is a key whose values add up.
func listed(key Key, at func(*Settings) *[]string) setting {
	return setting{
		key: key, ways: anywhere, adds: true,
		said: func(s *Settings) bool { return *at(s) != nil },
		take: func(to, from *Settings) { *at(to) = *at(from) },
		raise: func(to, from *Settings) bool {
			all := slices.Clone(*at(to))
			for _, name := range *at(from) {
				if !slices.Contains(all, name) {
					all = append(all, name)
				}
			}
			grown := len(all) > len(*at(to))
			if grown {
				*at(to) = all
			}
			return grown
		},
		text: func(s *Settings) string { return strings.Join(*at(s), ", ") },
	}
}

func raiseOptions(to, from *Settings) bool {
	both := to.DeMailOptions.Or(from.DeMailOptions)
	grown := both != to.DeMailOptions
	to.DeMailOptions = both
	return grown
}

// Means reports whether a key means something for mail of a direction.
func Means(key Key, d mail.Direction) bool {
	i := placeOf(key)
	return i >= 0 && keysFor(d, false).has(i)
}

// keySet is a set of keys, by their places in settings.
type keySet uint32

func (k keySet) has(i int) bool { return k>>i&1 == 1 }

// demanding are the keys that, said for some senders, hold for mail without a single author, which may be theirs: they raise, and lower nothing.
var demanding = keySet(0).with(KeyTLS, KeyProfile, KeyOnMissing, KeyOnInvalid, KeyOnUnsigned, KeyOnUnopened, KeyMaxSize, KeyArchive, KeyQuarantine, KeyNotify)

func (k keySet) with(keys ...Key) keySet {
	for _, key := range keys {
		k |= 1 << placeOf(key)
	}
	return k
}

// saidBy are the keys that s says.
func saidBy(s *Settings) (k keySet) {
	for i := range settings {
		if settings[i].said(s) {
			k |= 1 << i
		}
	}
	return k
}

// keysFor are the keys that mean something for a direction, of rules or of levels.
func keysFor(d mail.Direction, level bool) (k keySet) {
	for i := range settings {
		w := settings[i].ways
		if w&wayOf(d) != 0 && (!level || d != mail.Internal || w&leveled != 0) {
			k |= 1 << i
		}
	}
	return k
}

// placeOf is where a key stands in settings; -1 where it is none.
func placeOf(key Key) int {
	return slices.IndexFunc(settings[:], func(s setting) bool { return s.key == key })
}
