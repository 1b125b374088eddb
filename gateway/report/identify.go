package report

import (
	"bufio"
	"bytes"

	"github.com/siegel-mail/siegel/smime/entity"
)

// Identify keeps of a header what tells its sender which message it was: Date, From and Message-ID. It is for
// Original.Header of a message that was not protected: its subject was meant for the recipient alone, and the
// notification may take another way than the message came.
func Identify(header []byte) []byte {
	h, err := entity.ReadHeader(bufio.NewReader(bytes.NewReader(header)), 2*MaxHeader)
	if err != nil {
		return nil
	}
	return h.Filter(func(f entity.Field) bool {
		return f.Is("Date") || f.Is("From") || f.Is("Message-ID")
	}).Bytes()
}
