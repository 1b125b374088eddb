package admin

import (
	"context"
	"net/http"
)

// loginKey finds the number of the user who logged in, as loginOf gives it, in a request's context.
type loginKey struct{}

// caller names who made the request: the user whose rights it has, and the user who logged in where that is
// another, as with sudo.
func caller(r *http.Request) string { return Caller(r.Context()) }

// Caller names who gave the command that ctx is of, as the audit log has it.
func Caller(ctx context.Context) string {
	uid := peer(ctx)
	login, ok := ctx.Value(loginKey{}).(int)
	if !ok || login < 0 || login == uid {
		return who(uid)
	}
	return who(uid) + ", logged in as " + who(login)
}
