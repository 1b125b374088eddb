package protect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/smime/entity"
)

// finish is the last step of a variant: DKIM signatures of others that protection broke are removed, and what
// leaves the company is signed with the keys of its author's domain. keys names those; empty where there are none.
// A signature of another that still holds stays.
func (p *Protector) finish(ctx context.Context, d *draft, v variant, content mail.Content) (out mail.Content, keys string, err error) {
	if content, err = d.dropBroken(content, v.sign || v.encrypt); err != nil {
		return nil, "", err
	}
	if v.direction != mail.Outgoing || d.env.DeMail != nil || d.from.IsNull() || !d.env.MayUse.Match(d.from) { // invariant 4
		return content, "", nil
	}
	return p.signed(ctx, p.o.DKIM.For(d.from), content)
}

// dropBroken removes the DKIM signatures that do not hold any more.
func (d *draft) dropBroken(content mail.Content, body bool) (mail.Content, error) {
	if _, ok := d.before.Get("DKIM-Signature"); !ok {
		return content, nil
	}
	header, bodyAt, err := readHeader(content)
	if err != nil {
		return nil, err
	}
	if mailauth.DropBroken(&header, d.before, body) == 0 {
		return content, nil
	}
	return newSource(header, content, bodyAt), nil
}

// signed puts a signature of each key on top, without a copy of the content. What cannot be signed,
// for thousands of blank lines in its body or a header beyond the limit, leaves without.
func (p *Protector) signed(ctx context.Context, signers mailauth.Signers, content mail.Content) (out mail.Content, keys string, err error) {
	if len(signers) == 0 {
		return content, "", nil
	}
	fields, err := mailauth.Fields(ctx, content, signers...)
	if errors.Is(err, mailauth.ErrBlankBody) || errors.Is(err, mailauth.ErrNoAuthor) || errors.Is(err, entity.ErrLimit) {
		return content, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("signing by DKIM: %w", err)
	}
	names := make([]string, 0, len(signers))
	for _, s := range signers {
		names = append(names, s.Selector()+"._domainkey."+s.Domain())
	}
	return topped{fields, content}, strings.Join(names, ", "), nil
}

// SignReport signs a report or notice of the gateway itself with the keys of its author's domain, where there are
// any. The signatures cover fields of the names in also besides the usual ones.
func (p *Protector) SignReport(ctx context.Context, content mail.Content, also ...string) (mail.Content, error) {
	header, _, err := readHeader(content)
	if err != nil {
		return nil, err
	}
	author := singleFrom(header)
	if author.IsNull() {
		return content, nil
	}
	signers := slices.Clone(p.o.DKIM.For(author))
	for i, s := range signers {
		if signers[i], err = s.Also(also...); err != nil {
			return nil, err
		}
	}
	content, _, err = p.signed(ctx, signers, content)
	return content, err
}

// topped is content with fields on top of its header.
type topped struct {
	fields  []byte
	content mail.Content
}

// Size implements mail.Content.
func (t topped) Size() int64 { return int64(len(t.fields)) + t.content.Size() }

// Open implements mail.Content.
func (t topped) Open() (io.ReadCloser, error) {
	r, err := t.content.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(t.fields), r), r}, nil
}
