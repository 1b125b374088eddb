package policy

import (
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// full says every key, with its weakest value where there is an order.
func full() Settings {
	return Settings{
		Sign: Never, Encrypt: Never, TLS: mail.TLSRequired, DeMail: "legal", DeMailOptions: demail.Options{Dispatch: true}, Decrypt: smime.Yes,
		OnInvalid: Accept, OnUnsigned: Accept, OnUnopened: Accept, MarkSubject: smime.No, MaxSize: 1000, Archive: []string{"journal"},
		Quarantine: "too much", Notify: []string{"a@firma.example"},
		Terms: Terms{
			Profile: smime.Compatible, Opaque: smime.No, ToSelf: smime.No, Missing: SendPlain,
			Wish: smime.Wish{Algorithm: cms.AES128CBC, OAEP: smime.No, PSS: smime.No, Headers: smime.No, Obscure: smime.No},
		},
	}
}

// Every key is said, told, taken, and known by its name; the places that the engine knows are theirs.
func TestKeys(t *testing.T) {
	all, none := full(), Settings{}
	if got, want := saidBy(&all), keySet(1<<numKeys-1); got != want || saidBy(&none) != 0 {
		t.Errorf("said: %b, want %b", got, want)
	}
	var seen []Key
	for i, s := range settings {
		if s.key == "" || s.ways == 0 || slices.Contains(seen, s.key) || placeOf(s.key) != i {
			t.Fatalf("place %d: %q", i, s.key)
		}
		seen = append(seen, s.key)
		var copied Settings
		s.take(&copied, &all)
		if saidBy(&copied) != 1<<i || s.text(&copied) == "" || s.text(&copied) != s.text(&all) {
			t.Errorf("%s: %+v", s.key, copied)
		}
		if s.raise(&copied, &all) {
			t.Errorf("%s is stronger than itself", s.key)
		}
	}
	if !slices.Equal(seen, Keys()) {
		t.Errorf("%v", Keys())
	}
	for place, key := range map[int]Key{atSign: KeySign, atEncrypt: KeyEncrypt, atTLS: KeyTLS, atProfile: KeyProfile, atMissing: KeyOnMissing} {
		if settings[place].key != key {
			t.Errorf("%s stands elsewhere", key)
		}
	}
	if placeOf("colour") != -1 {
		t.Error("a key that there is not")
	}
}

// The strongest of two values counts, whichever comes first; lists add up; where there is no order the first stays.
func TestRaise(t *testing.T) {
	weak := full()
	for key, c := range map[Key]struct {
		strong Settings
		want   string
	}{
		KeySign:          {Settings{Sign: Require}, "require"},
		KeyEncrypt:       {Settings{Encrypt: IfPossible}, "if-possible"},
		KeyTLS:           {Settings{TLS: mail.TLSVerified}, "verified"},
		KeyProfile:       {Settings{Terms: Terms{Profile: smime.TR03116}}, "bsi-tr-03116-4"},
		KeyAlgorithm:     {Settings{Terms: Terms{Wish: smime.Wish{Algorithm: cms.AES128GCM}}}, "aes128-gcm"},
		KeySignature:     {Settings{Terms: Terms{Wish: smime.Wish{PSS: smime.Yes}}}, "pss"},
		KeySubject:       {Settings{Terms: Terms{Wish: smime.Wish{Obscure: smime.Yes}}}, "obscured"},
		KeyOnMissing:     {Settings{Terms: Terms{Missing: Refuse}}, "refuse"},
		KeyDecrypt:       {Settings{Decrypt: smime.No}, "false"},
		KeyOnInvalid:     {Settings{OnInvalid: RefuseIt}, "refuse"},
		KeyMaxSize:       {Settings{MaxSize: 999}, "999"},
		KeyArchive:       {Settings{Archive: []string{"journal", "vault"}}, "journal, vault"},
		KeyDeMailOptions: {Settings{DeMailOptions: demail.Options{Receipt: true}}, "dispatch, receipt"},
	} {
		s := settings[placeOf(key)]
		to := weak
		if !s.raise(&to, &c.strong) || s.text(&to) != c.want {
			t.Errorf("%s: %s, want %s", key, s.text(&to), c.want)
		}
		if s.raise(&to, &weak) || s.text(&to) != c.want {
			t.Errorf("%s was lowered to %s", key, s.text(&to))
		}
	}
	if slices.Contains(weak.Archive, "vault") {
		t.Error("a list of another level was changed")
	}
	for key, other := range map[Key]Settings{
		KeyForm: {Terms: Terms{Opaque: smime.Yes}}, KeyEncryptToSelf: {Terms: Terms{ToSelf: smime.Yes}}, KeyDeMail: {DeMail: "other"}, KeyQuarantine: {Quarantine: "other"},
	} {
		if to := weak; settings[placeOf(key)].raise(&to, &other) {
			t.Errorf("%s has an order", key)
		}
	}
}

// Each key is for directions in which it means something.
func TestKeysForDirections(t *testing.T) {
	has := func(k keySet, key Key) bool { return k.has(placeOf(key)) }
	out, in, inside := keysFor(mail.Outgoing, true), keysFor(mail.Incoming, true), keysFor(mail.Internal, true)
	if !has(out, KeySign) || has(out, KeyDecrypt) || has(in, KeySign) || !has(in, KeyDecrypt) || !has(in, KeyArchive) || !has(out, KeyArchive) {
		t.Errorf("out %b, in %b", out, in)
	}
	if has(inside, KeySign) || has(inside, KeyTLS) || !has(inside, KeyProfile) || !has(keysFor(mail.Internal, false), KeySign) {
		t.Errorf("inside %b", inside)
	}
}
