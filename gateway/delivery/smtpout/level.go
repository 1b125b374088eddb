package smtpout

// LevelFor is the level of TLS on the way to a domain: that of its partner, where it goes by MX, else that of the options.
func (o Options) LevelFor(domain string) Level {
	level := o.TLS.Level
	if o.MX != nil && o.Partners != nil {
		if partner, ok := o.Partners(domain); ok {
			level = partner.Level
		}
	}
	if level == "" {
		return Opportunistic
	}
	return level
}

// WithoutTLS reports whether the way to a domain does without TLS.
func (o Options) WithoutTLS(domain string) bool { return o.LevelFor(domain) == None && !o.Implicit }
