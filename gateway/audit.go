package gateway

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/siegel-mail/siegel/gateway/admin"
)

// Act records an act of the user that the gateway runs as, by the way it came. An act for which it returns an
// error must not be carried out.
func (g *Gateway) Act(ctx context.Context, what, detail string) error {
	err := g.audit.Record(ctx, admin.Act{Time: g.o.Now(), Who: runsAs(), What: what, Detail: detail})
	if err != nil {
		return fmt.Errorf("the act cannot be recorded, so it is not carried out: %w", err)
	}
	return nil
}

// runsAs names the user of this process.
func runsAs() string {
	uid := os.Getuid()
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return fmt.Sprintf("%s (uid %d)", u.Username, uid)
	}
	return fmt.Sprintf("uid %d", uid)
}

// note records the start and the stop of the gateway, which nothing refuses.
func (g *Gateway) note(what string) {
	if err := g.Act(context.Background(), what, "version "+g.o.Version); err != nil {
		g.o.Log.WithError(err).Errorf("audit: the %s of the gateway is not in the log", what)
	}
}
