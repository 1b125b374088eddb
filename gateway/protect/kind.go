package protect

import (
	"errors"
	"io"
	"strings"

	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/entity"
)

// kindWithin is how far into a message its kind is looked for. What makes it an invitation stands before what is attached
// to it.
const kindWithin = 1 << 20

// kindOf tells mail that programs take for something else than a text to read, by parts that they look for on its outside.
func kindOf(header entity.Header, src smime.Source) (policy.Kind, error) {
	root, _ := header.ContentType()
	if kind := kindOfPart(header, root); kind != "" || !root.Is("multipart/mixed", "multipart/alternative", "multipart/related") {
		return kind, nil
	}
	r, err := src.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	n, err := entity.Scan(io.LimitReader(r, kindWithin), entity.Limits{})
	switch {
	case errors.Is(err, entity.ErrLimit): // an invitation has a few parts
		return "", nil
	case err != nil:
		return "", err
	}
	for part := range n.All {
		if kind := kindOfPart(part.Header, part.Type); kind != "" {
			return kind, nil
		}
	}
	return "", nil
}

// kindOfPart is what a part makes of the message around it. A calendar that is attached, or has no method, is a file like
// others (RFC 6047, 2.4).
func kindOfPart(h entity.Header, t entity.MediaType) policy.Kind {
	disposition, _ := h.Get("Content-Disposition")
	attached := strings.HasPrefix(strings.ToLower(strings.TrimSpace(disposition)), "attachment")
	switch {
	case t.Is("text/calendar") && t.Params["method"] != "" && !attached:
		return policy.Meeting
	case t.Is("application/ms-tnef", "application/vnd.ms-tnef"), strings.EqualFold(h.FileName(), "winmail.dat"):
		return policy.TNEF
	}
	return ""
}
