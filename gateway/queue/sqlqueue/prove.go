package sqlqueue

import (
	"context"

	"github.com/siegel-mail/siegel/internal/sqldb"
)

// prove looks in the background whether rows and indexes agree, where that was not done before the database was taken
// into use: a row that an index lacks would wait for ever. What is damaged is set aside as any other damage. It ends with the
// database.
func (s *Store) prove(db *database) {
	if !db.unproven {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	db.stop = stop
	db.proof.Go(func() {
		err := sqldb.Check(ctx, db.read, checked...)
		switch {
		case err == nil || ctx.Err() != nil:
		case isDamage(err):
			s.writer.alarm(err)
		default:
			s.o.Log.WithError(err).Warn("queue: the database could not be checked whole; that is done at the next start")
		}
	})
}
