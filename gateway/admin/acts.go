package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/user"
	"strconv"
)

// errAudit is why an act without a record is refused.
var errAudit = errors.New("the audit log cannot be written, so nothing was done; look into the gateway's log and check the disk")

// audit records an act of whoever made the request, before it is done.
func (c *Control) audit(r *http.Request, a Act) error {
	if c.o.Audit == nil {
		return nil
	}
	a.Time, a.Who = c.o.Now(), caller(r)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeTime)
	defer cancel()
	if err := c.o.Audit.Record(ctx, a); err != nil {
		return fmt.Errorf("%w: %w", errAudit, err)
	}
	return nil
}

// peer is the user id of whoever made a request; -1 where the system does not tell.
func peer(ctx context.Context) int {
	if id, ok := ctx.Value(userKey{}).(int); ok {
		return id
	}
	return -1
}

// who is the name and number of a user, as far as they are known.
func who(uid int) string {
	if uid < 0 {
		return "unknown"
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return fmt.Sprintf("%s (uid %d)", u.Username, uid)
	}
	return fmt.Sprintf("uid %d", uid)
}
