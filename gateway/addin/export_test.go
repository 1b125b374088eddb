package addin

import "net/http"

// Direct answers requests that come by no connection.
func (s *Server) Direct() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.current.Load().handler.ServeHTTP(w, r) })
}
