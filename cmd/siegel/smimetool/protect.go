package smimetool

import (
	"crypto/x509"
	"errors"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// Message is the file with the message, as an argument.
type Message struct {
	File string `arg:"" optional:"" help:"The message, whole with its header. Without it, standard input."`
}

// Strength says with which algorithms, as flags.
type Strength struct {
	Profile string `default:"compatible" enum:"compatible,rfc8551,bsi-tr-03116-4" help:"Algorithms where nothing more is known of a recipient: ${enum}."`
	PSS     bool   `name:"pss" help:"RSA keys sign by RSASSA-PSS."`
}

// Recipients are who is encrypted to, as flags.
type Recipients struct {
	To        []string `sep:"none" placeholder:"FILE" help:"Certificate of a recipient. May be given several times; to read the message later, give your own as well."`
	Algorithm string   `placeholder:"NAME" help:"Content encryption: aes128-cbc, aes192-cbc, aes256-cbc, aes128-gcm, aes256-gcm or chacha20-poly1305."`
	OAEP      bool     `name:"oaep" help:"RSA keys get the content key by RSAES-OAEP."`
}

// Sign writes the message with a signature.
type Sign struct {
	Message
	Keys
	Strength
	Opaque  bool `help:"As application/pkcs7-mime, which only programs with S/MIME can show, and which nothing on the way can damage."`
	Headers bool `help:"Sign header fields as well (RFC 9788)."`
}

// Encrypt writes the message encrypted. A signature that is in it stays as it is.
type Encrypt struct {
	Message
	Recipients
	Profile           string `default:"compatible" enum:"compatible,rfc8551,bsi-tr-03116-4" help:"Algorithms where nothing more is known of a recipient: ${enum}."`
	SoftwareBrainpool bool   `help:"Encrypt to keys on Brainpool curves. Who can measure how long that takes may learn the key of this one message."`
}

// Protect signs, protects header fields and encrypts in one go.
type Protect struct {
	Message
	Keys
	Recipients
	Strength
	Opaque      bool `help:"Sign as application/pkcs7-mime."`
	ShowSubject bool `help:"Leave the Subject readable outside of the encryption. It is protected from changes in any case."`
	NoHeaders   bool `help:"Do not protect header fields."`
}

// Run writes the result to standard output.
func (c *Sign) Run(t *Tool) error {
	defer t.Close()
	if len(c.Key) == 0 {
		return usage("nobody signs; name a key with --key")
	}
	w := smime.Wish{PSS: answer(c.PSS), Headers: answer(c.Headers)}
	o := smime.ProtectOptions{Opaque: c.Opaque, SoftwareBrainpool: c.SoftwareBrainpool}
	if c.Headers {
		o.Headers.Policy = smime.HCPNoConfidentiality
	}
	return t.protect(c.File, c.Profile, &c.Keys, nil, w, o)
}

// Run writes the result to standard output.
func (c *Encrypt) Run(t *Tool) error {
	defer t.Close()
	if len(c.To) == 0 {
		return usage("nobody could read it; name the certificate of a recipient with --to")
	}
	w := smime.Wish{Algorithm: cms.Algorithm(c.Algorithm), OAEP: answer(c.OAEP)}
	return t.protect(c.File, c.Profile, nil, c.To, w, smime.ProtectOptions{SoftwareBrainpool: c.SoftwareBrainpool})
}

// Run writes the result to standard output.
func (c *Protect) Run(t *Tool) error {
	defer t.Close()
	switch {
	case len(c.Key) == 0:
		return usage("nobody signs; name a key with --key, or use encrypt")
	case len(c.To) == 0:
		return usage("nobody could read it; name the certificate of a recipient with --to, or use sign --headers")
	}
	w := smime.Wish{Algorithm: cms.Algorithm(c.Algorithm), OAEP: answer(c.OAEP), PSS: answer(c.PSS), Headers: answer(!c.NoHeaders)}
	o := smime.ProtectOptions{Opaque: c.Opaque, SoftwareBrainpool: c.SoftwareBrainpool}
	switch {
	case c.NoHeaders:
	case c.ShowSubject:
		o.Headers.Policy = smime.HCPNoConfidentiality
	default:
		o.Headers.Policy = smime.HCPBaseline
	}
	return t.protect(c.File, c.Profile, &c.Keys, c.To, w, o)
}

// answer is Yes, or nothing: a flag that is not given leaves the question to the profile.
func answer(yes bool) smime.Answer {
	if yes {
		return smime.Yes
	}
	return smime.NotSaid
}

// protect reads keys and certificates, and writes the message protected with them.
func (t *Tool) protect(path, profile string, keys *Keys, to []string, w smime.Wish, o smime.ProtectOptions) error {
	p, err := smime.ParseProfile(profile)
	if err != nil {
		return usage("%w", err)
	}
	var ids []certs.Identity
	if keys != nil {
		if _, ids, err = keys.identities(); err != nil {
			return err
		}
	}
	files, err := certificates(to, "--to")
	if err != nil {
		return err
	}
	named := w.Algorithm // who names one need not ask the profile, but where that sets bounds
	if p != smime.TR03116 {
		w.Algorithm = ""
	}
	choice, err := recipients(p, files, w, &o)
	if err != nil {
		return usage("%w", err)
	}
	if named != "" {
		o.Algorithm = named
	}
	for _, id := range maySign(ids) {
		if err := p.FitSigner(id.Certificate); err != nil {
			return usage("%w", err)
		}
		o.Signers = append(o.Signers, smime.Signer{Certificate: id.Certificate, Chain: id.Chain, Key: id.Key, PSS: choice.PSS})
	}
	src, err := t.message(path)
	if err != nil {
		return err
	}
	o.Time = t.now()
	err = smime.Protect(t.Out, src, o)
	if errors.Is(err, smime.ErrMessage) || errors.Is(err, cms.ErrUnsupported) {
		return usage("%w", err)
	}
	return err
}

// recipients chooses the algorithms and says in o whom to encrypt to. One message goes to all, so that it is made as the one who
// reads least can read it.
func recipients(p smime.Profile, files [][]*x509.Certificate, w smime.Wish, o *smime.ProtectOptions) (smime.Choice, error) {
	if len(files) == 0 {
		return p.Choose(smime.Peer{Wish: w})
	}
	var all []smime.Choice
	for _, file := range files {
		for _, c := range mayEncrypt(file) {
			choice, err := p.Choose(smime.Peer{Certificate: c, Capabilities: smime.KnownCapabilities(cms.CertificateCapabilities(c)), Wish: w})
			if err != nil {
				return choice, err
			}
			all = append(all, choice)
			o.EncryptTo = append(o.EncryptTo, choice.Recipient(c))
		}
	}
	least := all[0]
	for _, c := range all[1:] {
		if c.Algorithm != least.Algorithm { // what everybody reads
			unknown, err := p.Choose(smime.Peer{Certificate: o.EncryptTo[0].Certificate, Wish: w})
			if err != nil {
				return unknown, err
			}
			least.Algorithm = unknown.Algorithm
		}
		least.PSS = least.PSS && c.PSS
	}
	o.Algorithm = least.Algorithm
	return least, nil
}
