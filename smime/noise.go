package smime

import "io"

// noiseWindow is how many bytes tell noise from what a program wrote, and one control character in so many bytes is
// the most that passes: where all are drawn by lot it is one in nine.
const noiseWindow, noiseShare = 512, 50

// noise tells whether a decrypted entity is what a wrong key makes of CBC, one time in 256, where the padding
// happens to be right: a key that a recipient info does not hold is replaced by a random one (RFC 3218, 2.3.2), and
// only the content can tell. Headers, and texts without a header, have hardly a control character.
func (w *walker) noise(m *message) (bool, error) {
	window := m.body // of the header
	if m.header.Len() == 0 || window > noiseWindow {
		window = noiseWindow
	}
	r, err := w.open(m.src)
	if err != nil {
		return false, err
	}
	defer r.Close()
	c := &controlCounter{r: io.LimitReader(r, window)}
	n, err := io.Copy(io.Discard, c)
	return int64(c.n)*noiseShare > n, err
}
