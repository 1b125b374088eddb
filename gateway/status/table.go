package status

import (
	"context"
	"syscall"

	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime/entity"
)

type row struct {
	is    error
	reply saying
}

// saying is a reply whose words are not chosen yet.
type saying struct {
	code     int
	enhanced [3]int
	id       texts.ID
}

// in is the reply in the words of t.
func (s saying) in(t *texts.Texts) Reply {
	return Reply{Code: s.code, Enhanced: s.enhanced, Text: plain(t.SMTP(s.id, texts.Values{}))}
}

// unknown is the reply to our own trouble: temporary and silent.
func unknown() saying { return saying{451, [3]int{4, 3, 0}, texts.DoorTrouble} }

// table holds what other packages' errors mean to a sender. The first row that matches counts.
//
// A damaged or foreign at-rest file, a closed store and every other fault of storage are deliberately not
// here: they are our own trouble.
func table() []row {
	full := saying{452, [3]int{4, 3, 1}, texts.DoorStorage}
	busy := saying{451, [3]int{4, 3, 2}, texts.DoorBusy}
	return []row{
		{syscall.ENOSPC, full},
		{syscall.EDQUOT, full},
		{dispatch.ErrUnavailable, saying{451, [3]int{4, 4, 3}, texts.DoorDeMailLater}},
		{queue.ErrFull, full},
		{context.Canceled, busy},
		{context.DeadlineExceeded, busy},
		{queue.ErrUnavailable, unknown()},
		{queue.ErrClosed, busy},
		{protect.ErrMessage, saying{554, [3]int{5, 6, 0}, texts.DoorUnprotectable}},
		{mail.ErrAddress, saying{501, [3]int{5, 1, 3}, texts.DoorAddress}},
		{entity.ErrLimit, saying{554, [3]int{5, 6, 0}, texts.DoorComplex}},
	}
}
