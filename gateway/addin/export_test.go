package addin

import "net/http"

// MaxBody is the largest body of a request.
const MaxBody = maxBody

// Direct answers requests that come by no connection.
func (s *Server) Direct() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.current.Load().handler.ServeHTTP(w, r) })
}
