package cms

import (
	"fmt"
	"io"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Decrypter reads the content of an envelope. It is for one goroutine.
type Decrypter struct {
	r          *berReader
	l          Limits
	info       EnvelopeInfo
	transports []keyTrans
	agreements []keyAgree
	algorithm  contentAlgorithm
	content    *octetReader
	cipher     *contentCipher
	failed     bool   // the key is random: decryption will fail, after all was done that is done otherwise
	buf        []byte // ciphertext, decrypted in place
	held       int    // bytes at the front of buf that are ciphertext still
	out        []byte // plaintext to hand out
	err        error  // what follows out
}

// DecryptOptions says how to decrypt.
type DecryptOptions struct {
	Keys   KeyFinder // nil: there are none
	Legacy bool      // read content under 3DES in CBC mode too, which nobody should send any more
	Limits Limits
}

// NewDecrypter reads an EnvelopedData or AuthEnvelopedData as far as its content, asks o.Keys for keys and gets
// the content key. Where the error is ErrNoKey or ErrUnsupported or that of a key that is away, the
// Decrypter may be there nevertheless, for its Info alone. Bytes behind the
// ContentInfo are not looked at.
//
// It makes at most 24 calls of private keys, whatever the message lists. Recipient infos that tell by themselves whether
// a key was right (RSAES-OAEP, key agreement) come first; of those with PKCS #1 v1.5 it decrypts one only, and does not
// say whether that went well. Every failure shows as ErrDecrypt at the end of the content.
func NewDecrypter(r io.Reader, o DecryptOptions) (*Decrypter, error) {
	l := o.Limits.withDefaults()
	d := &Decrypter{r: newBERReader(r, l), l: l}
	encryption, err := d.open()
	if err != nil {
		return nil, err
	}
	if d.err = d.begin(encryption, o); d.err != nil {
		return d, d.err
	}
	return d, nil
}

// Info is what the envelope says openly.
func (d *Decrypter) Info() EnvelopeInfo { return d.info }

// open reads up to the encrypted content (RFC 5652, 6.1; RFC 5083, 2.1) and returns its algorithm.
func (d *Decrypter) open() (algorithm, error) {
	oid, err := d.r.openContentInfo()
	if err != nil {
		return algorithm{}, err
	}
	switch oid {
	case oidEnvelopedData:
		d.info.Type = Enveloped
	case oidAuthEnvelopedData:
		d.info.Type, d.info.Authenticated = AuthEnveloped, true
	default:
		return algorithm{}, fmt.Errorf("%w: content type %s is not EnvelopedData", ErrUnsupported, oid)
	}
	if err := d.r.open(tagSequence); err != nil {
		return algorithm{}, err
	}
	if err := d.r.version(); err != nil {
		return algorithm{}, err
	}
	if err := d.skipOptional(tagContextCons); err != nil { // originatorInfo
		return algorithm{}, err
	}
	if err := d.r.each(tagSet, d.l.Recipients, "recipients", d.recipient); err != nil {
		return algorithm{}, err
	}
	return d.openContent()
}

// skipOptional passes over the next element where it is tag.
func (d *Decrypter) skipOptional(tag byte) error {
	if next, err := d.r.peek(); err != nil || next != tag {
		return err
	}
	return d.r.skip()
}

// recipient takes one RecipientInfo. What cannot be read or used is listed and passed over: the message may
// be for others as well.
func (d *Decrypter) recipient() error {
	der, err := d.r.raw(d.l.AttributeBytes)
	if err != nil {
		return err
	}
	kinds := map[byte]string{tagSequence: "ktri", tagContextCons | 1: "kari", tagContextCons | 2: "kekri",
		tagContextCons | 3: "pwri", tagContextCons | 4: "ori"}
	info := RecipientInfo{Kind: kinds[der[0]]}
	switch info.Kind {
	case "":
		return malformed("a recipient info is of no known kind")
	case "ktri":
		t, name, usable := readKeyTrans(der)
		if usable {
			d.transports = append(d.transports, t)
		}
		info.ID, info.Algorithm = t.id, name
	case "kari":
		a, listed, usable := readKeyAgree(der)
		if usable {
			d.agreements = append(d.agreements, a)
		}
		d.info.Recipients = append(d.info.Recipients, listed...)
		if len(d.info.Recipients) > d.l.Recipients {
			return fmt.Errorf("%w: more than %d recipients", ErrLimit, d.l.Recipients)
		}
		return nil
	}
	d.info.Recipients = append(d.info.Recipients, info)
	return nil
}

// openContent reads the front of EncryptedContentInfo (RFC 5652, 6.1).
func (d *Decrypter) openContent() (algorithm, error) {
	if err := d.r.open(tagSequence); err != nil {
		return algorithm{}, err
	}
	oid, err := d.r.objectIdentifier()
	if err != nil {
		return algorithm{}, err
	}
	d.info.ContentType = contentTypeName(oid)
	der, err := d.r.raw(4 << 10)
	if err != nil {
		return algorithm{}, err
	}
	a, err := parseAlgorithm(der)
	if err != nil {
		return algorithm{}, err
	}
	d.info.Algorithm = capabilityName(a.oid)
	if ok, err := d.r.more(); err != nil {
		return algorithm{}, err
	} else if !ok {
		return algorithm{}, fmt.Errorf("%w: the encrypted content is not in the message", ErrUnsupported)
	}
	d.content, err = d.r.octets(tagContext)
	return a, err
}

// begin finds the key and sets up the cipher.
func (d *Decrypter) begin(encryption algorithm, o DecryptOptions) error {
	var ids []RecipientID
	for _, r := range d.info.Recipients {
		if r.ID.Serial != nil || r.ID.SubjectKeyID != nil {
			ids = append(ids, r.ID)
		}
	}
	var keys []Key
	if o.Keys != nil && len(ids) > 0 {
		keys = usableKeys(o.Keys(ids), ids)
	}
	if len(keys) == 0 {
		return ErrNoKey
	}
	var err error
	if d.algorithm, err = readContentAlgorithm(encryption, d.info.Authenticated, o.Legacy); err != nil {
		return err
	}
	k := &keyring{transports: d.transports, agreements: d.agreements, keys: keys, size: d.algorithm.spec.keySize}
	contentKey, failed, err := k.contentKey()
	if err == ErrNoKey {
		return fmt.Errorf("%w: the way the content key is encrypted for this key", ErrUnsupported)
	} else if err != nil {
		return err
	}
	d.failed = failed
	d.buf = make([]byte, contentBuffer)
	d.cipher, err = newContentCipher(d.algorithm.spec, contentKey, d.algorithm.iv, false)
	clear(contentKey)
	return err
}

// usableKeys are the keys that some id means.
func usableKeys(keys []Key, ids []RecipientID) []Key {
	var usable []Key
	for _, key := range keys {
		for _, id := range ids {
			if (key.Decrypter != nil || key.Agreement != nil) && id.Matches(key.Certificate) {
				usable = append(usable, key)
				break
			}
		}
	}
	return usable
}

// Read returns plaintext that is NOT yet authenticated: it must not be used, nor be told from other
// plaintext in any way that shows outside, before io.EOF. io.EOF means that padding or tag were right;
// whatever else went wrong with the decryption is ErrDecrypt. With CBC, io.EOF says nothing about
// integrity: see Info. ErrMalformed means that the envelope itself is broken, which everyone can see.
func (d *Decrypter) Read(p []byte) (int, error) {
	for len(d.out) == 0 && d.err == nil {
		d.out, d.err = d.fill()
	}
	if len(d.out) == 0 {
		return 0, d.err
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// WriteTo writes the plaintext to w, as [Decrypter.Read] would return it, with the same warning.
func (d *Decrypter) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		for len(d.out) == 0 && d.err == nil {
			d.out, d.err = d.fill()
		}
		if len(d.out) == 0 {
			if d.err == io.EOF {
				return total, nil
			}
			return total, d.err
		}
		n, err := w.Write(d.out)
		total += int64(n)
		d.out = d.out[n:]
		if err != nil {
			return total, err
		}
	}
}

// fill decrypts the next part, of which it holds one block back, since that may be the last.
func (d *Decrypter) fill() ([]byte, error) {
	if d.cipher.whole != nil {
		return d.whole()
	}
	if d.held > 0 { // it stands at the end of the part before
		copy(d.buf, d.buf[len(d.buf)-d.held:])
	}
	n, err := io.ReadFull(d.content, d.buf[d.held:])
	n += d.held
	switch err {
	case nil:
		if d.cipher.cbc != nil {
			d.held = d.cipher.spec.block
		}
		n -= d.held
		return d.buf[:n], d.cipher.decrypt(d.buf[:n])
	case io.EOF, io.ErrUnexpectedEOF:
		return d.last(d.buf[:n])
	}
	return nil, err
}

// whole reads a content that is decrypted all at once.
func (d *Decrypter) whole() ([]byte, error) {
	p := d.buf[:0]
	for {
		if cap(p)-len(p) <= chacha20poly1305.Overhead { // room for the tag stays
			p = slices.Grow(p, len(p)+wholeSpare)
		}
		n, err := d.content.Read(p[len(p) : cap(p)-chacha20poly1305.Overhead])
		switch p = p[:len(p)+n]; {
		case len(p) > d.l.WholeBytes:
			return nil, fmt.Errorf("%w: more than %d bytes of content under %s", ErrLimit, d.l.WholeBytes, d.cipher.spec.name)
		case err == io.EOF:
			return d.last(p)
		case err != nil:
			return nil, err
		}
	}
}

// last decrypts the end of the content, after it has read all that follows: whether that is well formed
// everyone can see, and so it must not depend on the key.
func (d *Decrypter) last(p []byte) ([]byte, error) {
	additional, tag, err := d.finish()
	if err != nil {
		return nil, err
	}
	plain, err := d.cipher.decryptLast(p, additional, tag)
	if err == nil && d.failed {
		err = ErrDecrypt
	}
	if err != nil {
		return nil, err
	}
	return plain, io.EOF
}

// finish reads what stands behind the content: the additional authenticated data and the tag.
func (d *Decrypter) finish() (additional, tag []byte, err error) {
	if err := d.r.leave(); err != nil {
		return nil, nil, err
	}
	if d.info.Authenticated {
		if additional, err = d.authAttributes(); err != nil {
			return nil, nil, err
		}
		der, err := d.r.raw(64)
		if err != nil {
			return nil, nil, err
		}
		s := cryptobyte.String(der)
		if !s.ReadASN1Bytes(&tag, cryptobyte_asn1.OCTET_STRING) || len(tag) != d.algorithm.tag {
			return nil, nil, malformed("the tag is not as long as it should be")
		}
		err = d.skipOptional(tagContextCons | 2)
		if err != nil {
			return nil, nil, err
		}
	} else if err := d.skipOptional(tagContextCons | 1); err != nil { // unprotectedAttrs
		return nil, nil, err
	}
	return additional, tag, d.r.leaveAll(3)
}

// authAttributes takes authAttrs as they are authenticated (RFC 5083, 2.2), nil where there are none.
func (d *Decrypter) authAttributes() ([]byte, error) {
	if next, err := d.r.peek(); err != nil || next != tagContextCons|1 {
		return nil, err
	}
	der, err := d.r.raw(d.l.AttributeBytes)
	if err != nil {
		return nil, err
	}
	additional := retag(der, tagSet)
	var content cryptobyte.String
	s := cryptobyte.String(additional)
	if !s.ReadASN1(&content, cryptobyte_asn1.SET) {
		return nil, malformed("authenticated attributes cannot be read")
	}
	set, err := parseAttributes(content)
	if err != nil {
		return nil, err
	}
	if set.contentType != "" && contentTypeName(set.contentType) != d.info.ContentType {
		return nil, malformed("what was authenticated is of another content type")
	}
	return additional, nil
}
