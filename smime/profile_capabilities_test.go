package smime_test

import (
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

func TestKnownCapabilities(t *testing.T) {
	for _, c := range []struct {
		name string
		said cms.Capabilities
		want string
	}{
		{"nothing", nil, ""},
		{"weak ones are passed over", cms.Capabilities{"1.2.840.113549.3.7", "aes256-gcm", "1.2.840.113549.3.2", "aes128-cbc", "aes192-gcm"}, "aes256-gcm aes128-cbc"},
		{"twice", cms.Capabilities{"aes128-cbc", "aes128-cbc"}, "aes128-cbc"},
		{"OAEP and PSS", cms.Capabilities{"rsa-oaep-sha1", "rsa-oaep-sha256", "rsapss-sha512"}, "oaep pss"},
		{"with SHA-1 only", cms.Capabilities{"rsa-oaep-sha1", "rsapss-sha1", "ecdh-sha256-aes128-wrap"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := smime.KnownCapabilities(c.said)
			if got.String() != c.want || got.IsZero() != (c.want == "") {
				t.Errorf("got %q; want %q", got, c.want)
			}
		})
	}
}

// The text form is for storing: it comes back, and of another program's text only what is known and strong.
func TestCapabilityText(t *testing.T) {
	for _, text := range []string{"", "aes256-gcm", "aes128-gcm aes256-cbc oaep pss headers"} {
		if got := smime.ParseCapabilityText(text).String(); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
	if got := smime.ParseCapabilityText("des-ede3-cbc aes256-gcm ml-kem aes256-gcm").String(); got != "aes256-gcm" {
		t.Errorf("got %q", got)
	}
}
