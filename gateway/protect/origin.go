package protect

import (
	"errors"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// What the door says of the origin of incoming mail (see package origin), in a field on top of the message as it is
// stored. A stranger cannot write it, since the door removes all that begins with X-Siegel-.
const (
	OriginField    = "X-Siegel-Origin"
	OriginDoubtful = "doubtful" // the first word of the field where the policy wants the doubt seen
)

// withoutOrigin is a message as it goes to somebody who is not the company: without the field.
func withoutOrigin(content mail.Content) (mail.Content, error) {
	header, bodyAt, err := readHeaderWithin(content, incomingHeader)
	switch {
	case errors.Is(err, ErrMessage): // it was taken, so it is delivered
		return content, nil
	case err != nil:
		return nil, err
	case header.Del(OriginField) == 0:
		return content, nil
	}
	return newSource(header, content, bodyAt), nil
}

// takeOrigin is what the door wrote; ok is false where it wrote nothing.
func takeOrigin(h entity.Header) (value string, doubtful, ok bool) {
	value, ok = h.Get(OriginField)
	word, _, _ := strings.Cut(value, ";")
	return value, word == OriginDoubtful, ok
}
