// Package bundle writes the evidence of one De-Mail into a ZIP that can be checked without this program; it decides nothing about it.
//
// The ZIP has the message as it was handed over, every confirmation as it came, the certificates and the answers about their revocation of the day that it came, a summary in German
// and in English, record.json, SHA256SUMS over all these, and where there is an authority its timestamp of SHA256SUMS. The same record gives the same bytes.
package bundle

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/proof"
)

// The names in a ZIP.
const (
	ManifestName  = "SHA256SUMS"
	StampName     = "timestamp.tsr"
	messageName   = "message.eml"
	recordName    = "record.json"
	summaryPrefix = "summary."
)

// maxXML bounds what is taken out of a confirmation, so that it can be verified by itself.
const maxXML = 1 << 20

// Source is where the bytes are; proof.Store is one.
type Source interface {
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	OpenEvidence(ctx context.Context, account, id string) (io.ReadCloser, error)
	OpenBlob(ctx context.Context, b proof.Blob) (io.ReadCloser, error)
}

// Stamp gives a timestamp (TimeStampResp, DER) of a SHA-256.
type Stamp func(ctx context.Context, digest [sha256.Size]byte) ([]byte, error)

// member is a file of the ZIP.
type member struct {
	name string
	size int64
	crc  uint32
	sum  []byte
	open func(context.Context) (io.ReadCloser, error)
}

// bundle is a ZIP that is being put together. Nothing of a message is in memory but the signed XML of confirmations.
type bundle struct {
	from    Source
	record  proof.Record
	message Message
	members []member
	seen    map[string]bool // names of members
}

// Write writes the evidence of a record; stamp may be nil. Memory does not grow with the message. An error of from that wraps proof.ErrDamaged means that the evidence is not what
// was kept: then w has not got a whole ZIP.
func Write(ctx context.Context, w io.Writer, from Source, r proof.Record, stamp Stamp) error {
	b := &bundle{from: from, record: r, message: MessageOf(r), seen: map[string]bool{}}
	if err := b.collect(ctx); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	manifest := b.manifest()
	first := []member{inMemory(ManifestName, manifest)}
	if stamp != nil {
		answer, err := stamp(ctx, sha256.Sum256(manifest))
		if err != nil {
			return err
		}
		first = append(first, inMemory(StampName, answer))
	}
	z := zip.NewWriter(w)
	for _, m := range append(first, b.members...) {
		if err := b.write(ctx, z, m); err != nil {
			return fmt.Errorf("bundle: %s: %w", m.name, err)
		}
	}
	return z.Close()
}

// inMemory is a member that is text of ours.
func inMemory(name string, data []byte) member {
	sum := sha256.Sum256(data)
	return member{name, int64(len(data)), crc32.ChecksumIEEE(data), sum[:], func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

// add puts a member into the ZIP, once.
func (b *bundle) add(m member) {
	if !b.seen[m.name] {
		b.seen[m.name] = true
		b.members = append(b.members, m)
	}
}

// collect finds all members, and names them in the message.
func (b *bundle) collect(ctx context.Context) error {
	r := b.record
	b.message.Content.Name, b.message.Late = messageName, nil // what is overdue is so at a time, and the bundle is of none
	b.add(member{messageName, r.Size, r.CRC32, r.SHA256, func(ctx context.Context) (io.ReadCloser, error) { return b.from.Open(ctx, r.Key) }})
	for i, k := range r.Evidence {
		if err := b.came(ctx, i, k); err != nil {
			return err
		}
	}
	record, err := json.MarshalIndent(b.message, "", "  ")
	if err != nil {
		return err
	}
	b.add(inMemory(recordName, append(record, '\n')))
	for _, t := range languages() {
		b.add(inMemory(summaryPrefix+t.code+".txt", summary(&b.message, t)))
	}
	slices.SortFunc(b.members, func(a, c member) int { return strings.Compare(a.name, c.name) })
	return nil
}

// came adds something that was fetched, with all that belongs to it.
func (b *bundle) came(ctx context.Context, i int, k proof.Kept) error {
	out := &b.message.Came[i]
	base := fmt.Sprintf("confirmations/%02d-%s", i+1, word(k.Kind))
	open := func(ctx context.Context) (io.ReadCloser, error) { return b.from.OpenEvidence(ctx, k.Account, k.ID) }
	out.Content.Name = base + ".eml"
	b.add(member{out.Content.Name, k.Size, k.CRC32, k.SHA256, open})
	doc, err := signedXML(ctx, k.Kind, open)
	if err != nil {
		return err
	}
	if doc != nil {
		out.XML = base + ".xml"
		b.add(inMemory(out.XML, doc))
	}
	for n, v := range k.Verdicts {
		if err := b.verdict(ctx, &out.Verdicts[n], v); err != nil {
			return err
		}
	}
	return nil
}

// word is a kind as file names have it.
func word(k demail.MessageType) string {
	if rest, ok := strings.CutPrefix(string(k), "confirmation of "); ok {
		return rest
	}
	return string(k)
}

// verdict adds certificates and answers about them.
func (b *bundle) verdict(ctx context.Context, out *Verdict, v proof.Verdict) error {
	for i, c := range v.Certificates {
		der, err := b.blob(ctx, c)
		if err != nil {
			return err
		}
		out.Certificates[i].Name = "certificates/" + hex.EncodeToString(c.SHA256)[:16] + ".pem"
		b.add(inMemory(out.Certificates[i].Name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	}
	for i, a := range v.Revocation {
		name := "revocation/" + hex.EncodeToString(a.SHA256)[:16] + "." + ending(a.Kind)
		out.Revocation[i].Name = name
		if b.seen[name] {
			continue
		}
		open := func(ctx context.Context) (io.ReadCloser, error) { return b.from.OpenBlob(ctx, a.Blob) }
		crc, err := checksum(ctx, open)
		if err != nil {
			return err
		}
		b.add(member{name, a.Size, crc, a.SHA256, open})
	}
	return nil
}

// ending is that of the file of an answer.
func ending(kind string) string {
	if kind == "ocsp" || kind == "crl" {
		return kind
	}
	return "der"
}

// blob reads a certificate, which the record bounds.
func (b *bundle) blob(ctx context.Context, of proof.Blob) ([]byte, error) {
	r, err := b.from.OpenBlob(ctx, of)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func checksum(ctx context.Context, open func(context.Context) (io.ReadCloser, error)) (uint32, error) {
	r, err := open(ctx)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	crc := crc32.NewIEEE()
	_, err = io.Copy(crc, r)
	return crc.Sum32(), err
}

// signedXML takes the signed part out of a confirmation, byte for byte, so that it can be verified alone; nil where it has none that can be read.
func signedXML(ctx context.Context, kind demail.MessageType, open func(context.Context) (io.ReadCloser, error)) ([]byte, error) {
	if !kind.Confirmation() {
		return nil, nil
	}
	in, err := open(ctx)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	source := &noted{r: in}
	r := bufio.NewReader(source)
	h, err := demail.ReadHeader(r)
	if err == nil {
		var c *demail.Confirmation
		if c, err = (demail.Verifier{}).Confirmation(ctx, h, r); err == nil && len(c.XML) <= maxXML {
			return c.XML, nil
		}
	}
	if source.err != nil { // it could not be read, other than by its form
		return nil, source.err
	}
	return nil, ctx.Err()
}

// noted remembers why a source could not be read.
type noted struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (n *noted) Read(p []byte) (int, error) {
	count, err := n.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return count, err
}

// manifest is what `sha256sum -c` reads.
func (b *bundle) manifest() []byte {
	var out bytes.Buffer
	for _, m := range b.members {
		fmt.Fprintf(&out, "%x  %s\n", m.sum, m.name)
	}
	return out.Bytes()
}

// write puts a member into the ZIP, uncompressed: the bytes are the same whoever writes them, and sizes stand before contents, so that it can be read as a stream.
func (b *bundle) write(ctx context.Context, z *zip.Writer, m member) error {
	h := &zip.FileHeader{Name: m.name, Method: zip.Store, CRC32: m.crc, CompressedSize64: uint64(m.size), UncompressedSize64: uint64(m.size), Flags: utf8Names}
	h.SetMode(0o644)
	h.ModifiedDate, h.ModifiedTime = dosTime(b.record.Began) //lint:ignore SA1019 CreateRaw looks at nothing else
	w, err := z.CreateRaw(h)
	if err != nil {
		return err
	}
	r, err := m.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	crc, sum := crc32.NewIEEE(), sha256.New()
	n, err := io.Copy(io.MultiWriter(w, crc, sum), r)
	if err != nil {
		return err
	}
	if n != m.size || crc.Sum32() != m.crc || !bytes.Equal(sum.Sum(nil), m.sum) {
		return fmt.Errorf("%w: a content is another than was kept", proof.ErrDamaged)
	}
	return nil
}

// utf8Names is the flag that says so of names (APPNOTE 4.4.4, bit 11).
const utf8Names = 0x800

// dosTime is a time as ZIP has it (APPNOTE 4.4.6), in UTC.
func dosTime(t time.Time) (date, clock uint16) {
	t = t.UTC()
	if t.Year() < 1980 {
		return 1<<5 | 1, 0
	}
	return uint16((t.Year()-1980)<<9 | int(t.Month())<<5 | t.Day()), uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2)
}
