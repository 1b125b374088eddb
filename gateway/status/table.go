package status

import (
	"context"
	"syscall"

	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/smime/entity"
)

type row struct {
	is    error
	reply Reply
}

// unknown is the reply to our own trouble: temporary and silent.
func unknown() Reply {
	return Reply{Code: 451, Enhanced: [3]int{4, 3, 0}, Text: "the gateway has a local problem, please try again later"}
}

// table holds what other packages' errors mean to a sender. The first row that matches counts.
//
// A damaged or foreign at-rest file, a closed store and every other fault of storage are deliberately not
// here: they are our own trouble.
func table() []row {
	full := Reply{Code: 452, Enhanced: [3]int{4, 3, 1}, Text: "the gateway is short of storage, please try again later"}
	busy := Reply{Code: 451, Enhanced: [3]int{4, 3, 2}, Text: "the gateway is stopping or overloaded, please try again later"}
	return []row{
		{syscall.ENOSPC, full},
		{syscall.EDQUOT, full},
		{dispatch.ErrUnavailable, Reply{Code: 451, Enhanced: [3]int{4, 4, 3}, Text: "it cannot be decided at present whether this may be sent as De-Mail, please try again later"}},
		{queue.ErrFull, full},
		{context.Canceled, busy},
		{context.DeadlineExceeded, busy},
		{queue.ErrUnavailable, unknown()},
		{queue.ErrClosed, busy},
		{protect.ErrMessage, Reply{Code: 554, Enhanced: [3]int{5, 6, 0}, Text: "the message cannot be taken apart to be signed or encrypted: its header is too long, or it has too many parts"}},
		{mail.ErrAddress, Reply{Code: 501, Enhanced: [3]int{5, 1, 3}, Text: "the address is not a mailbox this gateway can relay"}},
		{entity.ErrLimit, Reply{Code: 554, Enhanced: [3]int{5, 6, 0}, Text: "the message is too complex: its header or its parts exceed a limit"}},
	}
}
